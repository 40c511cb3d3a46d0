/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments, Kconfig files, and why an option is not what it was to be. */
#include <criterion/criterion.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "support/fake_kernel.h"
#include "vm/kernel_build_config.h"
#include "vm/kernel_build_kconfig.h"

static const char config[] = "# CONFIG_OFF is not set\n"
			     "CONFIG_ON=y\n"
			     "CONFIG_MODULE=m\n"
			     "CONFIG_VERSION=121\n"
			     "CONFIG_TEXT=\"a b\"\n"
			     "CONFIG_ON_TOO=y\n";

static struct build_options parse(const char *name, const char *text)
{
	struct build_options options = { 0 };
	struct ktstr_error err;

	cr_assert_eq(build_options_add(&options, name, text, &err), 0, "%s", err.text);
	return options;
}

Test(build_options, are_the_lines_of_a_fragment)
{
	struct build_options o =
		parse("f", "# a comment\n\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x y\"  \n"
			   "# CONFIG_D is not set yet\nCONFIG_E=0x10");
	static const struct {
		const char *name, *value;
		unsigned int line;
	} wanted[] = {
		{ "A", "y", 3 }, { "B", "n", 4 }, { "C", "\"x y\"", 5 }, { "E", "0x10", 7 }
	};

	cr_assert_eq(o.count, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < o.count; i++) {
		cr_expect_str_eq(o.items[i].name, wanted[i].name);
		cr_expect_str_eq(o.items[i].value, wanted[i].value);
		cr_expect_eq(o.items[i].line, wanted[i].line);
	}
	build_options_done(&o);
}

Test(build_options, take_the_later_of_two_lines)
{
	struct build_options o = parse("first", "CONFIG_A=y\nCONFIG_B=y\n");
	struct ktstr_error err;

	cr_assert_eq(build_options_add(&o, "second", "\n# CONFIG_A is not set\n", &err), 0);
	cr_assert_eq(o.count, 2);
	cr_expect_str_eq(o.items[0].value, "n");
	cr_expect_str_eq(o.items[0].fragment, "second");
	cr_expect_eq(o.items[0].line, 2);
	build_options_done(&o);
}

Test(build_options, refuse_what_is_no_line_of_a_config)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "CONFIG_A=y\nKASAN=y\n", "f:2: 'KASAN=y' is no line of a kernel's config: write "
					   "'CONFIG_NAME=y' or '# CONFIG_NAME is not set'" },
		{ "CONFIG_A\n", "f:1: 'CONFIG_A' is no line" },
		{ "CONFIG_A=\n", "f:1: 'CONFIG_A=' is no line" },
		{ "CONFIG_=y\n", "f:1: 'CONFIG_=y' is no line" },
		{ "CONFIG_A =y\n", "f:1: 'CONFIG_A =y' is no line" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct build_options o = { 0 };
		struct ktstr_error err = { 0 };

		cr_expect_eq(build_options_add(&o, "f", rows[i].text, &err), -EINVAL);
		cr_expect(str_starts(err.text, rows[i].says), "%s", err.text);
		build_options_done(&o);
	}
}

/* Of the options that a run needs of any kernel, too. */
Test(build_config_own, asks_for_what_runs_need)
{
	static const char *const needed[] = { "64BIT",
					      "SMP",
					      "BLK_DEV_INITRD",
					      "BINFMT_ELF",
					      "DEVTMPFS",
					      "TMPFS",
					      "PROC_FS",
					      "SYSFS",
					      "PCI",
					      "VIRTIO_PCI",
					      "VIRTIO_CONSOLE",
					      "CGROUPS",
					      "SERIAL_8250_CONSOLE",
					      "CPUSETS",
					      "PVH",
					      "SCHED_CLASS_EXT",
					      "DEBUG_INFO_BTF",
					      "IKCONFIG" };
	struct build_options o = parse("own", build_config_own());

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		_cleanup_free_ char *value = build_config_value(build_config_own(), needed[i]);

		cr_expect_str_eq(value, "y", "%s", needed[i]);
	}
	cr_expect_gt(o.count, 100);
	build_options_done(&o);
}

Test(build_config_value, is_found_by_the_whole_name)
{
	static const struct {
		const char *name, *value;
	} rows[] = { { "ON", "y" }, { "OFF", "n" },	   { "MODULE", "m" }, { "VERSION", "121" },
		     { "O", "n" },  { "TEXT", "\"a b\"" }, { "ON_TOO", "y" }, { "TOO", "n" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *value = build_config_value(config, rows[i].name);

		cr_expect_str_eq(value, rows[i].value, "%s", rows[i].name);
	}
}

Test(kconfig, conditions_hold_or_not)
{
	static const struct {
		const char *text;
		bool holds;
	} rows[] = {
		{ "ON", true },
		{ "OFF", false },
		{ "ABSENT", false },
		{ "MODULE", true },
		{ "!ON", false },
		{ "!!ON", true },
		{ "!OFF && ON", true },
		{ "ON && OFF", false },
		{ "OFF || ON", true },
		{ "OFF || ON && OFF", false },
		{ "(OFF || ON) && ON", true },
		{ "!(OFF || ON)", false },
		{ "VERSION >= 122", false },
		{ "VERSION >= 121", true },
		{ "VERSION < 1000", true },
		{ "VERSION > 99", true },
		{ "VERSION <= 0x10", false },
		{ "ON = y", true },
		{ "ON=n", false },
		{ "ON != n", true },
		{ "y", true },
		{ "n", false },
		/* Nobody can tell. */
		{ "$(cc-option,-mfoo)", true },
		{ "OFF && $(macro)", true },
		{ "(OFF", true },
		{ "", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(kconfig_holds(rows[i].text, config), rows[i].holds, "%s",
			     rows[i].text);
}

Test(kconfig, names_the_parts_that_do_not_hold)
{
	static const struct {
		const char *text, *unmet;
	} rows[] = {
		{ "ON && OFF && VERSION >= 122", "OFF, VERSION >= 122" },
		{ "ON && !ON_TOO", "!ON_TOO" },
		{ "OFF || ABSENT", "OFF || ABSENT" },
		{ "(OFF || ABSENT) && ON", "(OFF || ABSENT)" },
		{ "ON", "" },
		{ "&& && ON &&", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str out = { 0 };

		cr_assert_eq(kconfig_add_unmet(rows[i].text, config, &out), 0);
		cr_expect_str_eq(str_text(&out), rows[i].unmet, "%s", rows[i].text);
		str_done(&out);
	}
}

static char *tree;

static void begin(void)
{
	tree = fake_folder();
	fake_write_text(tree, "Kconfig",
			"mainmenu \"Linux\"\n"
			"source \"init/Kconfig\"\n"
			"source \"arch/$(SRCARCH)/Kconfig\"\n"
			"source \"no/Kconfig\"\n"
			"source \"$(OTHER)/Kconfig\"\n");
	fake_write_text(tree, "init/Kconfig",
			"config PLAIN\n"
			"\tbool \"A plain one\" # with a remark\n"
			"\tdepends on ON && \\\n"
			"\t\tVERSION >= 122\n"
			"\thelp\n"
			"\t  It is plain. What stands here\n"
			"\t  depends on nothing, and if\n"
			"\t  config HELP would be one, this ends.\n"
			"\n"
			"config SELECTING\n"
			"\tdef_bool y\n"
			"\tselect SELECTED if ON\n"
			"config ON\n"
			"\tbool \"On\"\n"
			"\tselect SELECTED\n"
			"config SELECTED\n"
			"\tbool \"Selected\"\n"
			"choice\n"
			"\tprompt \"One\"\n"
			"config LEFT\n"
			"\tbool \"Left\"\n"
			"config RIGHT\n"
			"\tbool \"Right\"\n"
			"endchoice\n"
			"choice\n"
			"\tprompt \"Other\"\n"
			"config UP\n"
			"\tbool \"Up\"\n"
			"endchoice\n");
	fake_write_text(tree, "arch/x86/Kconfig",
			"if OUTER\n"
			"menu \"Inner\"\n"
			"\tdepends on INNER\n"
			"rsource \"deep/Kconfig\"\n"
			"endmenu\n"
			"endif\n"
			"menuconfig AFTER\n"
			"\ttristate\n"
			"\tprompt \"After\"\n");
	fake_write_text(tree, "arch/x86/deep/Kconfig",
			"config DEEP\n\tbool \"Deep\"\n"
			"\tdepends on OWN\n");
}

static void end(void)
{
	fake_folder_remove(tree);
	free(tree);
}

TestSuite(kconfig_files, .init = begin, .fini = end);

static struct kconfig_fact look_up(const char *name)
{
	struct kconfig_fact fact = { .name = name };

	cr_assert_eq(kconfig_look_up(tree, &fact, 1), 0);
	return fact;
}

Test(kconfig_files, tell_of_an_option)
{
	static const struct {
		const char *name;
		bool is_known, has_prompt, is_choice;
		const char *depends, *selectors;
	} rows[] = {
		{ "PLAIN", true, true, false, "ON &&   \t\tVERSION >= 122\n", "" },
		{ "HELP", false, false, false, "", "" },
		{ "SELECTING", true, false, false, "", "" },
		{ "SELECTED", true, true, false, "", "SELECTING\nON\n" },
		{ "LEFT", true, true, true, "", "" },
		{ "DEEP", true, true, false, "OUTER\nINNER\nOWN\n", "" },
		{ "AFTER", true, true, false, "", "" },
		{ "ABSENT", false, false, false, "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kconfig_fact fact = look_up(rows[i].name);

		cr_expect_eq(fact.is_known, rows[i].is_known, "%s", fact.name);
		cr_expect_eq(fact.has_prompt, rows[i].has_prompt, "%s", fact.name);
		cr_expect_eq(fact.choice > 0, rows[i].is_choice, "%s", fact.name);
		cr_expect_str_eq(str_text(&fact.depends), rows[i].depends, "%s", fact.name);
		cr_expect_str_eq(str_text(&fact.selectors), rows[i].selectors, "%s", fact.name);
		kconfig_facts_done(&fact, 1);
	}
}

Test(kconfig_files, tell_one_choice_from_another)
{
	struct kconfig_fact facts[] = { { .name = "LEFT" }, { .name = "RIGHT" }, { .name = "UP" } };

	cr_assert_eq(kconfig_look_up(tree, facts, 3), 0);
	cr_expect_eq(facts[0].choice, facts[1].choice);
	cr_expect_neq(facts[0].choice, facts[2].choice);
	kconfig_facts_done(facts, 3);
}

Test(kconfig_files, that_source_each_other_end)
{
	struct kconfig_fact fact = { .name = "ABSENT" };

	fake_write_text(tree, "no/Kconfig", "source \"no/Kconfig\"\n");
	cr_expect_eq(kconfig_look_up(tree, &fact, 1), -ELOOP);
	kconfig_facts_done(&fact, 1);
}

static void add_problem(void *arg, const char *line)
{
	cr_assert_eq(str_addf(arg, "%s\n", line), 0);
}

static int check(const char *fragment, struct str *problems, struct ktstr_error *err)
{
	static const char result[] = "CONFIG_ON=y\nCONFIG_VERSION=121\nCONFIG_SELECTED=y\n"
				     "CONFIG_SELECTING=y\nCONFIG_RIGHT=y\n";
	struct build_options o = parse("mine", fragment);
	int code = build_config_check(&o, result, tree, add_problem, problems, err);

	build_options_done(&o);
	return code;
}

Test(kconfig_files, say_why_an_option_did_not_come_out)
{
	static const struct {
		const char *fragment, *problem;
	} rows[] = {
		{ "CONFIG_PLAIN=y", "mine:1: CONFIG_PLAIN is to be y, is not set: it depends on "
				    "VERSION >= 122\n" },
		{ "# CONFIG_SELECTED is not set", "mine:1: CONFIG_SELECTED is to be off, is y: "
						  "selected by SELECTING, ON\n" },
		{ "# CONFIG_SELECTING is not set",
		  "mine:1: CONFIG_SELECTING is to be off, is y: "
		  "it cannot be chosen, only follows from others\n" },
		{ "CONFIG_LEFT=y", "mine:1: CONFIG_LEFT is to be y, is not set: another one of its "
				   "choice is taken\n" },
		{ "CONFIG_DEEP=y", "mine:1: CONFIG_DEEP is to be y, is not set: it depends on "
				   "OUTER, INNER, OWN\n" },
		{ "CONFIG_ABSENT=y", "mine:1: CONFIG_ABSENT is to be y, is not set: this kernel "
				     "has no such option\n" },
		{ "CONFIG_ON=m", "mine:1: CONFIG_ON is to be m, is y: the kernel's Kconfig has "
				 "another value for it\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str problems = { 0 };
		struct ktstr_error err = { 0 };

		cr_expect_eq(check(rows[i].fragment, &problems, &err), -EINVAL);
		cr_expect_str_eq(str_text(&problems), rows[i].problem);
		str_done(&problems);
	}
}

Test(kconfig_files, every_option_is_named_in_the_error)
{
	struct str problems = { 0 };
	struct ktstr_error err = { 0 };

	cr_expect_eq(check("CONFIG_PLAIN=y\nCONFIG_ON=y\nCONFIG_ABSENT=3\n", &problems, &err),
		     -EINVAL);
	cr_expect_str_eq(err.text, "the config does not come out as the fragments say; change "
				   "them, or say otherwise in one more --config: CONFIG_PLAIN, "
				   "CONFIG_ABSENT");
	str_done(&problems);
}

Test(kconfig_files, a_config_that_is_as_wanted_is_good)
{
	struct str problems = { 0 };
	struct ktstr_error err = { 0 };

	cr_expect_eq(
		check("CONFIG_ON=y\n# CONFIG_ABSENT is not set\nCONFIG_OTHER=n\n", &problems, &err),
		0);
	cr_expect_str_eq(str_text(&problems), "");
	str_done(&problems);
}

/* The user says CONFIG_RIGHT=y, and need not say that CONFIG_LEFT is not set. */
Test(kconfig_files, a_choice_is_overridden_by_its_other_member)
{
	struct build_options o = parse("own", "CONFIG_LEFT=y\n");
	struct ktstr_error err = { 0 };

	cr_assert_eq(build_options_add(&o, "mine", "CONFIG_RIGHT=y\n", &err), 0);
	cr_expect_eq(build_config_check(&o, "CONFIG_RIGHT=y\n", tree, NULL, NULL, &err), 0, "%s",
		     err.text);
	cr_expect_eq(build_config_check(&o, "CONFIG_UP=y\n", tree, NULL, NULL, &err), -EINVAL);
	build_options_done(&o);
}

Test(kconfig_files, an_option_of_a_tree_without_kconfig_is_named_all_the_same)
{
	struct build_options o = parse("own", "CONFIG_LEFT=y\n");
	struct ktstr_error err = { 0 };

	cr_expect_eq(build_config_check(&o, "", "/proc/self/no", NULL, NULL, &err), -EINVAL);
	cr_expect(str_ends(err.text, ": CONFIG_LEFT"), "%s", err.text);
	build_options_done(&o);
}
