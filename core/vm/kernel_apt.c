/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/kernel_apt.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/str.h"
#include "vm/command.h"

#define UPDATE_TIMEOUT_MS 180000
#define DOWNLOAD_TIMEOUT_MS 600000
#define SHOW_TIMEOUT_MS 60000
#define OUTPUT_MAX (1u << 20)
#define DEPENDS_MAX 64

static const char *const keyrings[] = {
	"/usr/share/keyrings/debian-archive-keyring.gpg",
	"/usr/share/keyrings/debian-archive-keyring.pgp",
};

static const char *const subfolders[] = { "lists/partial", "cache/archives/partial", "debs" };

/*
 * Hooks of the host would run for lists that are not the host's. The rest of its configuration
 * stays, for its proxies.
 */
static const char configuration[] = "#clear APT::Update::Pre-Invoke;\n"
				    "#clear APT::Update::Post-Invoke;\n"
				    "#clear APT::Update::Post-Invoke-Success;\n"
				    "#clear APT::Default-Release;\n"
				    "APT::Update::Error-Mode \"any\";\n"
				    "APT::Sandbox::User \"root\";\n"
				    "APT::Get::AllowUnauthenticated \"false\";\n"
				    "Acquire::AllowInsecureRepositories \"false\";\n"
				    "Acquire::Languages \"none\";\n"
				    "Dir::Etc::sourceparts \"/dev/null\";\n"
				    "Dir::Etc::preferences \"/dev/null\";\n"
				    "Dir::Etc::preferencesparts \"/dev/null\";\n";

static int run_apt(const char *const *argv, const char *folder, uint32_t timeout_ms,
		   char **ret_output, struct ktstr_error *err)
{
	struct command command = {
		.argv = argv,
		.folder = folder,
		.timeout_ms = timeout_ms,
		.output_max = OUTPUT_MAX,
	};
	int code = command_run(&command, ret_output, err);

	if (code == -ENOENT)
		return ktstr_fail(err, code,
				  "this machine has no %s; give a kernel by --kernel PATH, built "
				  "with CONFIG_SCHED_CLASS_EXT=y",
				  argv[0]);
	return code;
}

static int write_file(const char *folder, const char *name, const char *text,
		      struct ktstr_error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", folder, name);

	return path ? io_replace_file(path, text, strlen(text), err)
		    : ktstr_fail(err, -ENOMEM, "out of memory");
}

static int write_configuration(const char *folder, struct ktstr_error *err)
{
	_cleanup_free_ char *text = NULL;

	/* apt's configuration has no way to quote these. */
	if (strpbrk(folder, "\"\\\n"))
		return ktstr_fail(err, -EINVAL, "apt cannot work in a folder named '%s'", folder);
	text = str_format("%sDir::Etc::sourcelist \"%s/sources.list\";\n"
			  "Dir::State::lists \"%s/lists\";\n"
			  "Dir::State::status \"%s/status\";\n"
			  "Dir::Cache \"%s/cache\";\n",
			  configuration, folder, folder, folder, folder);
	if (!text)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	return write_file(folder, "apt.conf", text, err);
}

static int find_keyring(const char *wanted, const char **ret, struct ktstr_error *err)
{
	if (wanted) {
		*ret = wanted;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keyrings); i++) {
		if (!access(keyrings[i], R_OK)) {
			*ret = keyrings[i];
			return 0;
		}
	}
	return ktstr_fail(err, -ENOENT,
			  "Debian's archive keys are not there: install debian-archive-keyring, or "
			  "give a kernel by --kernel PATH, built with CONFIG_SCHED_CLASS_EXT=y");
}

int kernel_apt_init(struct kernel_apt *apt, const char *folder, const char *keyring,
		    const char *architecture, struct ktstr_error *err)
{
	static const char *const version[] = { "apt-get", "--version", NULL };
	struct kernel_apt made = { .suite = "sid", .architecture = architecture };
	int code;

	code = run_apt(version, NULL, SHOW_TIMEOUT_MS, NULL, err);
	if (!code)
		code = find_keyring(keyring, &made.keyring, err);
	for (size_t i = 0; !code && i < ARRAY_SIZE(subfolders); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", folder, subfolders[i]);

		code = path ? io_make_dirs(path, err) : ktstr_fail(err, -ENOMEM, "out of memory");
	}
	if (!code)
		code = write_configuration(folder, err);
	if (!code)
		code = write_file(folder, "status", "", err);
	if (code)
		return code;
	made.folder = strdup(folder);
	made.option = str_format("-c=%s/apt.conf", folder);
	if (!made.folder || !made.option) {
		kernel_apt_done(&made);
		return ktstr_fail(err, -ENOMEM, "out of memory");
	}
	*apt = made;
	return 0;
}

void kernel_apt_done(struct kernel_apt *apt)
{
	free(apt->folder);
	free(apt->option);
	*apt = (struct kernel_apt){ 0 };
}

int kernel_apt_update(const struct kernel_apt *apt, const char *mirror, struct ktstr_error *err)
{
	const char *const argv[] = { "apt-get", apt->option, "-qq", "update", NULL };
	_cleanup_free_ char *line = NULL;
	int code;

	line = str_format("deb [arch=%s signed-by=%s target=Packages] %s %s main\n",
			  apt->architecture, apt->keyring, mirror, apt->suite);
	if (!line)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = write_file(apt->folder, "sources.list", line, err);
	if (code)
		return code;
	code = run_apt(argv, NULL, UPDATE_TIMEOUT_MS, NULL, err);
	return code ? ktstr_prefix(err,
				   "cannot read the package lists of '%s' (is there a network?)",
				   mirror)
		    : 0;
}

/* A line "URI|label"; a host that never read its lists has no labels. */
static char *mirror_of(char *line)
{
	char *label = strchr(line, '|');
	size_t length;

	if (!label)
		return NULL;
	*label++ = '\0';
	length = strlen(line);
	while (length && line[length - 1] == '/')
		line[--length] = '\0';
	if (strpbrk(line, " \t[]") || (!str_starts(line, "http://") &&
				       !str_starts(line, "https://") && !str_starts(line, "file:")))
		return NULL;
	if (strcmp(label, "Debian") == 0 || (label[0] == '$' && str_ends(line, "/debian")))
		return strdup(line);
	return NULL;
}

char *kernel_apt_mirror(void)
{
	static const char *const argv[] = {
		"apt-get",
		"indextargets",
		"--format",
		"$(REPO_URI)|$(LABEL)",
		"Identifier: Packages",
		NULL,
	};
	_cleanup_free_ char *output = NULL;
	struct ktstr_error unused;
	char *rest;

	if (!run_apt(argv, NULL, SHOW_TIMEOUT_MS, &output, &unused)) {
		for (char *line = strtok_r(output, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest)) {
			char *mirror = mirror_of(line);

			if (mirror)
				return mirror;
		}
	}
	return strdup(KERNEL_APT_DEBIAN);
}

/* A copy of the text of a field, without those lines that continue it. */
static char *field_of(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line && *line != '\n';) {
		if (strncmp(line, name, length) == 0 && line[length] == ':') {
			const char *value = line + length + 1;

			value += strspn(value, " \t");
			return strndup(value, strcspn(value, "\r\n"));
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return NULL;
}

/* "a | b (>= 1), c:any (= 2)" gives a and c. */
static int add_depends(char *text, char **names, size_t *count)
{
	char *rest;

	for (char *word = strtok_r(text, ",", &rest); word && *count < DEPENDS_MAX;
	     word = strtok_r(NULL, ",", &rest)) {
		word += strspn(word, " \t");
		names[*count] = strndup(word, strcspn(word, " \t(|:[<"));
		if (!names[*count])
			return -ENOMEM;
		(*count)++;
	}
	return 0;
}

int kernel_package_parse(const char *text, struct kernel_package *ret)
{
	static const char *const fields[] = { "Depends", "Pre-Depends" };
	struct kernel_package package = { 0 };
	size_t count = 0;
	int code = 0;

	package.version = field_of(text, "Version");
	package.source = field_of(text, "Source");
	package.sha256 = field_of(text, "SHA256");
	package.depends = calloc(DEPENDS_MAX + 1, sizeof(*package.depends));
	if (!package.depends)
		code = -ENOMEM;
	else if (!package.version || !package.version[0])
		code = -EBADMSG;
	for (size_t i = 0; !code && i < ARRAY_SIZE(fields); i++) {
		_cleanup_free_ char *list = field_of(text, fields[i]);

		code = list ? add_depends(list, package.depends, &count) : 0;
	}
	if (code)
		kernel_package_done(&package);
	else
		*ret = package;
	return code;
}

void kernel_package_done(struct kernel_package *package)
{
	for (char **name = package->depends; name && *name; name++)
		free(*name);
	free(package->depends);
	free(package->version);
	free(package->source);
	free(package->sha256);
	*package = (struct kernel_package){ 0 };
}

int kernel_apt_show(const struct kernel_apt *apt, const char *package, struct kernel_package *ret,
		    struct ktstr_error *err)
{
	const char *const argv[] = {
		"apt-cache", apt->option, "--no-all-versions", "show", package, NULL,
	};
	_cleanup_free_ char *output = NULL;
	int code = run_apt(argv, NULL, SHOW_TIMEOUT_MS, &output, err);

	if (code)
		return ktstr_prefix(err, "cannot find package '%s' in Debian %s", package,
				    apt->suite);
	code = kernel_package_parse(output, ret);
	return code ? ktstr_fail(err, code, "apt-cache says nothing of use about package '%s'",
				 package)
		    : 0;
}

/* Remove all, or name the one that is there. */
static int look_at_debs(const char *folder, bool must_remove, char **ret)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char *found = NULL;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char *path = NULL;

		if (!str_ends(entry->d_name, ".deb"))
			continue;
		path = str_format("%s/%s", folder, entry->d_name);
		if (path && must_remove)
			(void)unlink(path); /* a second one is noticed below */
		free(found);
		found = path;
	}
	(void)closedir(dir);
	if (must_remove) {
		free(found);
		return 0;
	}
	*ret = found;
	return found ? 0 : -ENOENT;
}

int kernel_apt_download(const struct kernel_apt *apt, const char *package, char **ret_path,
			struct ktstr_error *err)
{
	const char *const argv[] = { "apt-get", apt->option, "-qq", "download", package, NULL };
	_cleanup_free_ char *folder = str_format("%s/debs", apt->folder);
	int code;

	if (!folder)
		return ktstr_fail(err, -ENOMEM, "out of memory");
	code = look_at_debs(folder, true, NULL);
	if (code)
		return ktstr_fail(err, code, "cannot read '%s': %s", folder, strerror(-code));
	code = run_apt(argv, folder, DOWNLOAD_TIMEOUT_MS, NULL, err);
	if (code)
		return ktstr_prefix(err, "cannot download package '%s'", package);
	code = look_at_debs(folder, false, ret_path);
	return code ? ktstr_fail(err, code, "apt-get put no package '%s' into '%s'", package,
				 folder)
		    : 0;
}
