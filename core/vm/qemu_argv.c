/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm/qemu_argv.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "wire/freeze.h"

/* APIC ids are 8 bits wide without interrupt remapping, and the last is the broadcast address. */
#define APIC_IDS_MAX 255
/* Memory is handed out to NUMA nodes in pieces of this size; a kernel ignores nodes under 4 MiB. */
#define MEMORY_STEP (UINT64_C(2) << 20)
#define NODE_MEMORY_MIN (UINT64_C(4) << 20)
/* In virtual time the TSC counts nanoseconds. */
#define VIRTUAL_TSC_KHZ 1000000u

#define TEXT_OF(NUMBER) TEXT_OF_(NUMBER)
#define TEXT_OF_(NUMBER) #NUMBER

/* A list of words that remembers whether memory ran out, so that it is asked once. */
struct words {
	char **items;
	size_t count, size;
	bool has_failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
	va_list args;
	char *word = NULL;
	int length;

	if (words->has_failed)
		return;
	if (words->count + 1 >= words->size) {
		size_t size = words->size ? words->size * 2 : 64;
		char **items = realloc(words->items, size * sizeof(*items));

		if (!items) {
			words->has_failed = true;
			return;
		}
		words->items = items;
		words->size = size;
	}
	va_start(args, format);
	length = vasprintf(&word, format, args);
	va_end(args);
	if (length < 0) {
		words->has_failed = true;
		return;
	}
	words->items[words->count++] = word;
	words->items[words->count] = NULL;
}

void qemu_argv_free(char **argv)
{
	if (!argv)
		return;
	for (char **word = argv; *word; word++)
		free(*word);
	free(argv);
}

/* How many bits an APIC id gives to @count things. */
static unsigned int id_bits(uint32_t count)
{
	unsigned int bits = 0;

	while ((UINT32_C(1) << bits) < count)
		bits++;
	return bits;
}

static uint32_t sockets_of(const struct ktstr_topology *topology)
{
	return topology->numa_nodes;
}

static uint32_t dies_of(const struct ktstr_topology *topology)
{
	return topology->llcs / topology->numa_nodes;
}

/* One more than the highest APIC id: ids have gaps where a count is no power of two. */
static uint32_t apic_ids(const struct ktstr_topology *topology)
{
	unsigned int core_shift = id_bits(topology->threads);
	unsigned int die_shift = core_shift + id_bits(topology->cores);
	unsigned int socket_shift = die_shift + id_bits(dies_of(topology));

	return 1 + ((sockets_of(topology) - 1) << socket_shift |
		    (dies_of(topology) - 1) << die_shift | (topology->cores - 1) << core_shift |
		    (topology->threads - 1));
}

int topology_check(const struct ktstr_topology *topology, struct ktstr_error *err)
{
	const struct {
		const char *name;
		uint32_t value;
	} counts[] = {
		{ "numa_nodes", topology->numa_nodes },
		{ "llcs", topology->llcs },
		{ "cores", topology->cores },
		{ "threads", topology->threads },
	};
	uint64_t cpus = 1;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i].value == 0 || counts[i].value > APIC_IDS_MAX)
			return ktstr_fail(err, -EINVAL,
					  "topology: '%s' is %" PRIu32 ", must be 1 to %d",
					  counts[i].name, counts[i].value, APIC_IDS_MAX);
	if (topology->llcs % topology->numa_nodes != 0)
		return ktstr_fail(err, -EINVAL,
				  "topology: 'llcs' (%" PRIu32 ") must be a multiple of "
				  "'numa_nodes' (%" PRIu32 ")",
				  topology->llcs, topology->numa_nodes);
	cpus = (uint64_t)topology->llcs * topology->cores * topology->threads;
	if (cpus > APIC_IDS_MAX)
		return ktstr_fail(err, -EINVAL, "topology: %" PRIu64 " CPUs, a VM has at most %d",
				  cpus, APIC_IDS_MAX);
	if (apic_ids(topology) > APIC_IDS_MAX)
		return ktstr_fail(err, -EINVAL,
				  "topology: %" PRIu64 " CPUs need APIC ids up to %" PRIu32
				  " because a count is no power of two, a VM has ids up to %d",
				  cpus, apic_ids(topology) - 1, APIC_IDS_MAX - 1);
	return 0;
}

/* One thread for all vCPUs. When the buffer of translated code is full a turn ends, so in virtual
 * time its size, in MiB, must not follow from the host's memory, as QEMU has it. */
#define TCG "tcg,thread=single,tb-size=512"

static void add_cpus(struct words *words, const struct qemu_spec *spec)
{
	const struct ktstr_topology *topology = &spec->topology;

	add(words, "-accel");
	add(words, spec->is_kvm ? "kvm" : TCG);
	add(words, "-cpu");
	/*
	 * host-cache-info would pass the host's sharing through instead of the topology's. Level
	 * 0x1e hides leaf 0x1f, at whose end QEMU 10 aborts under TCG; the sharing of caches, which
	 * is what an LLC is, does not depend on it. Family 6, model 23 (Penryn) is the youngest
	 * model whose TSC kernels take for constant by itself and for which they have no idle
	 * driver: they then measure the delay loop once, and not for 50 ms on each CPU. TCG moves
	 * strings of bytes one byte, and multiplies without carry one bit at a time: a guest that
	 * sees neither feature copies, clears and checks faster by other means.
	 *
	 * A migratable CPU has no invariant TSC, with which QEMU would refuse to save the machine.
	 * The kernel then goes by kvm-clock: QEMU takes it with the machine when that is stopped,
	 * sets it before CPUs run again, and tells the guest that it stood still, so that none of
	 * its watchdogs fires.
	 */
	if (spec->is_kvm)
		add(words,
		    "host,vendor=GenuineIntel,host-cache-info=off,l3-cache=on,migratable=on");
	else
		add(words,
		    "max,vendor=GenuineIntel,family=6,model=23,stepping=6,erms=off,pclmulqdq=off%s",
		    dies_of(topology) > 1 ? ",level=0x1e" : "");
	add(words, "-smp");
	add(words,
	    "%" PRIu32 ",sockets=%" PRIu32 ",dies=%" PRIu32 ",cores=%" PRIu32 ",threads=%" PRIu32,
	    ktstr_topology_cpus(topology), sockets_of(topology), dies_of(topology), topology->cores,
	    topology->threads);
}

/*
 * Time that counts instructions: it stands still whenever the one thread that runs all CPUs does,
 * and jumps over what the guest waits for. Then nothing of the host's is left in the guest: what
 * is random comes from the seed, and the date of its clock is that of the guest's own time.
 */
static void add_clock(struct words *words, const struct qemu_spec *spec)
{
	unsigned int shift = 0;

	/* The clock that tells the date stands still with the machine, and goes on with it. */
	if (spec->is_kvm) {
		add(words, "-rtc");
		add(words, "clock=vm");
	}
	if (!spec->instruction_ns)
		return;
	while ((1u << shift) < spec->instruction_ns)
		shift++;
	add(words, "-icount");
	add(words, "shift=%u,sleep=off", shift);
	add(words, "-rtc");
	add(words, "base=2026-01-01T00:00:00,clock=vm");
	add(words, "-seed");
	add(words, "%" PRIu64, spec->seed);
}

/* Node 0 takes what does not divide. */
uint64_t qemu_node_memory(const struct ktstr_topology *topology, uint64_t memory_bytes,
			  uint32_t node)
{
	uint64_t steps = memory_bytes / MEMORY_STEP;
	uint64_t each = steps / topology->numa_nodes;

	return (node ? each : each + steps % topology->numa_nodes) * MEMORY_STEP;
}

static void add_node(struct words *words, const struct qemu_spec *spec, uint32_t node)
{
	uint64_t mib = qemu_node_memory(&spec->topology, spec->memory_bytes, node) >> 20;

	add(words, "-object");
	if (spec->memory_fds)
		add(words,
		    "memory-backend-file,id=ram%" PRIu32 ",size=%" PRIu64
		    "M,share=%s,mem-path=/proc/self/fd/%d",
		    node, mib, spec->is_restored ? "off" : "on", spec->memory_fds[node]);
	else
		add(words, "memory-backend-memfd,id=ram%" PRIu32 ",size=%" PRIu64 "M,share=on",
		    node, mib);
}

static void add_memory(struct words *words, const struct qemu_spec *spec)
{
	uint32_t nodes = spec->topology.numa_nodes;
	uint32_t cpus = ktstr_topology_cpus(&spec->topology) / nodes;

	add(words, "-M");
	add(words, nodes > 1 ? "q35" : "q35,memory-backend=ram0");
	add(words, "-m");
	add(words, "%" PRIu64 "M", spec->memory_bytes >> 20);
	for (uint32_t node = 0; node < nodes; node++)
		add_node(words, spec, node);
	if (nodes == 1)
		return;
	for (uint32_t node = 0; node < nodes; node++) {
		add(words, "-numa");
		add(words,
		    "node,nodeid=%" PRIu32 ",cpus=%" PRIu32 "-%" PRIu32 ",memdev=ram%" PRIu32, node,
		    node * cpus, (node + 1) * cpus - 1, node);
	}
	for (uint32_t from = 0; from < nodes; from++) {
		for (uint32_t to = 0; to < nodes; to++) {
			add(words, "-numa");
			add(words, "dist,src=%" PRIu32 ",dst=%" PRIu32 ",val=%d", from, to,
			    from == to ? 10 : 20);
		}
	}
}

/* Memory that host and guest share, as a device that needs no driver. */
static void add_job(struct words *words, const struct qemu_spec *spec)
{
	if (spec->job_bytes == 0)
		return;
	add(words, "-object");
	add(words,
	    "memory-backend-file,id=job,size=%" PRIu64 "M,share=%s,mem-path=/proc/self/fd/%d",
	    spec->job_bytes >> 20, spec->is_restored ? "off" : "on", spec->job_fd);
	add(words, "-device");
	/* Only the master of such a memory can be saved. */
	add(words, "ivshmem-plain,memdev=job,master=on");
}

static void add_kernel(struct words *words, const struct qemu_spec *spec)
{
	if (spec->is_restored) {
		add(words, "-incoming");
		add(words, "defer");
		return;
	}
	add(words, "-kernel");
	add(words, "%s", spec->kernel);
	if (spec->initrd) {
		add(words, "-initrd");
		add(words, "%s", spec->initrd);
	}
	if (spec->append) {
		add(words, "-append");
		add(words, "%s", spec->append);
	}
}

enum {
	BOTH_WAYS,
	TO_HOST,
};

/* In the order in which QEMU is told: the ports of ktstr-console and the others need their bus. */
static const struct {
	size_t fd_offset;
	const char *id;
	int way;
	const char *option;
	const char *value;
} channels[] = {
	{ offsetof(struct qemu_spec, qmp_fd), "qmp", BOTH_WAYS, "-mon",
	  "chardev=qmp,mode=control" },
	{ offsetof(struct qemu_spec, com1_fd), "com1", TO_HOST, "-device",
	  "isa-serial,chardev=com1,index=0" },
	{ offsetof(struct qemu_spec, com2_fd), "com2", TO_HOST, "-device",
	  "isa-serial,chardev=com2,index=1" },
	{ offsetof(struct qemu_spec, console_fd), "console", BOTH_WAYS, "-device",
	  "virtconsole,chardev=console,name=ktstr-console,nr=0" },
	{ offsetof(struct qemu_spec, bulk_fd), "bulk", TO_HOST, "-device",
	  "virtserialport,chardev=bulk,name=ktstr-bulk,nr=1" },
	{ offsetof(struct qemu_spec, stats_fd), "stats", BOTH_WAYS, "-device",
	  "virtserialport,chardev=stats,name=ktstr-stats,nr=2" },
	{ offsetof(struct qemu_spec, freeze_fd), "freeze", BOTH_WAYS, "-device",
	  "isa-debugcon,chardev=freeze,iobase=" TEXT_OF(WIRE_FREEZE_PORT) },
	{ offsetof(struct qemu_spec, debugger_fd), "debugger", BOTH_WAYS, NULL, NULL },
};

static void add_channels(struct words *words, const struct qemu_spec *spec)
{
	/*
	 * Without ioeventfd the guest's write itself moves the data: nothing is left to a wake-up
	 * of another thread, which makes runs repeatable. Without event_idx nobody has to look at
	 * what the other side wants before it tells it something: QEMU before 8.1 leaves out the
	 * memory barriers of a guest whose CPUs share a thread, and a writer then waits for ever.
	 */
	add(words, "-device");
	add(words, "virtio-serial-pci,ioeventfd=off,event_idx=off,max_ports=4");
	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		int fd = *(const int *)((const char *)spec + channels[i].fd_offset);

		if (fd < 0)
			continue;
		add(words, "-chardev");
		/* A socket may be full, and the guest would see that: a file never is. */
		if (spec->instruction_ns && channels[i].way == TO_HOST)
			add(words, "file,id=%s,path=/proc/self/fd/%d,append=on", channels[i].id,
			    fd);
		else
			add(words, "socket,id=%s,fd=%d", channels[i].id, fd);
		if (!channels[i].option)
			continue;
		add(words, "%s", channels[i].option);
		add(words, "%s", channels[i].value);
	}
}

int qemu_argv(const struct qemu_spec *spec, char ***ret, struct ktstr_error *err)
{
	static const char *const fixed[] = { "-nodefaults", "-no-user-config", "-display", "none",
					     "-no-reboot",  "-name",	       "ktstr" };
	struct words words = { 0 };
	int rc = topology_check(&spec->topology, err);

	if (rc < 0)
		return rc;
	if (!spec->program || (!spec->kernel && !spec->is_restored))
		return ktstr_fail(err, -EINVAL, "a VM needs a %s",
				  spec->program ? "kernel" : "program to run it");
	if (spec->memory_bytes % MEMORY_STEP != 0)
		return ktstr_fail(err, -EINVAL, "memory: %" PRIu64 " bytes is no multiple of 2 MiB",
				  spec->memory_bytes);
	if (spec->memory_bytes / spec->topology.numa_nodes < NODE_MEMORY_MIN)
		return ktstr_fail(err, -EINVAL,
				  "memory: %" PRIu64 " MiB is too little for %" PRIu32
				  " NUMA nodes, each takes at least 4 MiB",
				  spec->memory_bytes >> 20, spec->topology.numa_nodes);
	add(&words, "%s", spec->program);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		add(&words, "%s", fixed[i]);
	add_cpus(&words, spec);
	add_clock(&words, spec);
	add_memory(&words, spec);
	add_kernel(&words, spec);
	add_channels(&words, spec);
	add_job(&words, spec);
	if (words.has_failed) {
		qemu_argv_free(words.items);
		return ktstr_fail(err, -ENOMEM, "cannot build QEMU's command line: out of memory");
	}
	*ret = words.items;
	return 0;
}

/* What the kernel is told, always or in one case only. */
static const struct {
	const char *word;
	enum {
		ALWAYS,
		WITH_TCG,
		IN_VIRTUAL_TIME,
		WITH_KVM,
		WHEN_QUIET,
		WHEN_VERBOSE
	} when;
} parameters[] = {
	{ "console=ttyS0", ALWAYS },
	{ "quiet", WHEN_QUIET },
	{ "loglevel=7", WHEN_VERBOSE },
	{ "earlyprintk=serial", WHEN_VERBOSE },
	/* A kernel that broke ends the run at once, by a reset. */
	{ "oops=panic", ALWAYS },
	{ "panic=-1", ALWAYS },
	/* The root folder is a tmpfs, of half of the memory unless told. */
	{ "initramfs_options=size=90%", ALWAYS },
	{ "random.trust_cpu=on", ALWAYS },
	/* The same addresses in every run, whichever way the kernel is loaded. */
	{ "nokaslr", ALWAYS },
	/* These two are most of what can be saved of a boot. */
	{ "cryptomgr.notests", ALWAYS },
	{ "mitigations=off", ALWAYS },
	/* A busy host makes an emulated timer look broken and the TSC look unstable. A KVM guest
	 * has a clock of its own and knows. */
	{ "no_timer_check", WITH_TCG },
	{ "tsc=reliable", WITH_TCG },
	/* A CPU has its turn until the next timer of any CPU: ticks that lie close together would
	 * give one CPU nearly all of the time. */
	{ "skew_tick=1", IN_VIRTUAL_TIME },
	/* The one clock that a restored KVM guest can trust. */
	{ "clocksource=kvm-clock", WITH_KVM },
};

char *kernel_command_line(bool is_kvm, bool is_virtual, uint32_t tsc_khz, bool is_verbose)
{
	struct str line = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		if ((parameters[i].when == WITH_TCG && is_kvm) ||
		    (parameters[i].when == IN_VIRTUAL_TIME && !is_virtual) ||
		    (parameters[i].when == WITH_KVM && !is_kvm) ||
		    (parameters[i].when == WHEN_QUIET && is_verbose) ||
		    (parameters[i].when == WHEN_VERBOSE && !is_verbose))
			continue;
		if (str_addf(&line, "%s%s", line.length ? " " : "", parameters[i].word) < 0) {
			str_done(&line);
			return NULL;
		}
	}
	if (is_virtual)
		tsc_khz = VIRTUAL_TSC_KHZ;
	/* A guest on a busy host measures this wrong, and then tells wrong times. */
	if (!is_kvm && tsc_khz > 0 && str_addf(&line, " tsc_early_khz=%" PRIu32, tsc_khz) < 0) {
		str_done(&line);
		return NULL;
	}
	return line.data;
}
