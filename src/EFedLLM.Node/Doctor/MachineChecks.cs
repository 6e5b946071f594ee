using EFedLLM.Node.Output;

namespace EFedLLM.Node.Doctor;

/// <summary>What the measured facts of a machine come to. Pure.</summary>
internal static class MachineChecks
{
    private const int LeastRuntime = 10;

    // A node has a connection to each member, and its files; Kestrel's come on top.
    private const long FewFiles = 1024;
    private const long TooFewFiles = 256;

    // Beside what the device gives, the process itself needs about this much.
    private const long OwnMemory = 300L << 20;

    /// <summary>.NET.</summary>
    public static Finding Runtime(MachineFacts facts) => facts.Runtime.Major >= LeastRuntime
        ? Finding.Good("runtime", $".NET {facts.Runtime} on {facts.Architecture}")
        : Finding.Bad("runtime", $".NET {facts.Runtime}", $"Install .NET {LeastRuntime} or newer: this program is built for it.");

    /// <summary>Processors, and the threads that the device is given.</summary>
    /// <param name="facts">The machine.</param>
    /// <param name="threads">Compute threads.</param>
    public static Finding Processor(MachineFacts facts, int threads)
    {
        var found = $"{Say.Count(facts.Processors, "processor")}, {(facts.VectorBits == 0 ? "no vector instructions that the kernels use" : $"vectors of {facts.VectorBits} bits")}, {Say.Count(threads, "compute thread")}";
        if (facts.VectorBits == 0)
        {
            return Finding.Doubtful("processor", found, "Answers are the same but many times slower: use a machine with AVX2, AVX-512 or ARM NEON.");
        }

        return threads > facts.Processors
            ? Finding.Doubtful("processor", found, $"More threads than processors make every step slower: use --threads {facts.Processors} at most.")
            : Finding.Good("processor", found);
    }

    /// <summary>What the processor computes, against what sound ones do.</summary>
    /// <param name="isRight">Whether it is the same.</param>
    public static Finding Arithmetic(bool isRight) => isRight
        ? Finding.Good("arithmetic", "golden vectors computed rightly")
        : Finding.Bad("arithmetic", "golden vectors computed wrongly", "A device here would be found lying. Look for broken or overclocked memory and for heat, and install another version of .NET.");

    /// <summary>Memory, against what the device would give.</summary>
    /// <param name="facts">The machine.</param>
    /// <param name="given">Bytes for weights and caches.</param>
    public static Finding Memory(MachineFacts facts, long given)
    {
        if (facts.FreeMemoryBytes is not { } free)
        {
            return Finding.Doubtful("memory", "the system does not say how much is free", $"Make sure that {Say.Bytes(given)} are, or give less with --memory.");
        }

        var found = $"{Say.Bytes(free)} are free, the device gives {Say.Bytes(given)} at most";
        return (free - OwnMemory - given) switch
        {
            < 0 => Finding.Bad("memory", found, free > 2 * OwnMemory
                ? $"Give less: --memory {(free - OwnMemory) / 1_000_000}MB, or end other programs."
                : "End other programs: this machine has no memory to give."),
            var rest when rest < given / 8 => Finding.Doubtful("memory", found, "That leaves little for everything else on this machine: give a little less with --memory."),
            _ => Finding.Good("memory", found),
        };
    }

    /// <summary>Huge pages, which make reading weights quicker.</summary>
    public static Finding HugePages(MachineFacts facts) => facts.HugePages switch
    {
        null => Finding.Good("huge pages", "this system has no setting for them"),
        "always" or "madvise" => Finding.Good("huge pages", $"the system gives them ({facts.HugePages})"),
        var setting => Finding.Doubtful(
            "huge pages", $"the system gives none ({setting})", "Weights are read more slowly without: echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"),
    };

    /// <summary>How many files and connections may be open.</summary>
    public static Finding OpenFiles(MachineFacts facts) => facts.OpenFiles switch
    {
        null => Finding.Good("open files", "the system has no limit that matters"),
        < TooFewFiles and var most => Finding.Bad("open files", $"{most} at most", "A cluster's connections and files do not fit: raise the limit with ulimit -n 4096, or LimitNOFILE= of a service."),
        < FewFiles and var most => Finding.Doubtful("open files", $"{most} at most", "A larger cluster's connections do not fit: raise the limit with ulimit -n 4096, or LimitNOFILE= of a service."),
        var most => Finding.Good("open files", $"{most:#,0} at most"),
    };
}
