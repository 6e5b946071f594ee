using Akka.Configuration;

namespace EFedLLM.Actors.Configuration;

/// <summary>The settings below <c>efedllm.blobs</c>: how model files travel between devices, and what they may take. <c>hocon/node.conf</c> says what each does and holds the defaults.</summary>
public sealed record BlobLimits
{
    /// <summary>Port at which a device gives files; 0 is any free one.</summary>
    public required int Port { get; init; }

    /// <summary>Disk for fetched files, in bytes.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>Bytes of one piece of a file.</summary>
    public required int PieceBytes { get; init; }

    /// <summary>Pieces fetched at a time.</summary>
    public required int Parallel { get; init; }

    /// <summary>Pieces fetched from one peer at a time; at most <see cref="Parallel"/>.</summary>
    public required int PerPeer { get; init; }

    /// <summary>How long a peer may send nothing.</summary>
    public required TimeSpan Stall { get; init; }

    /// <summary>Transfers given at a time.</summary>
    public required int Uploads { get; init; }

    /// <summary>Requests answered per second and address.</summary>
    public required int Requests { get; init; }

    /// <summary>Most bytes of an answer to a range.</summary>
    public required long LargestRange { get; init; }

    /// <summary>Reads and judges the settings of a whole configuration.</summary>
    /// <param name="configuration">As <see cref="NodeConfiguration.Build(NodeSettings)"/> returns it.</param>
    /// <exception cref="ConfigurationException">A value is impossible; the message names its key.</exception>
    public static BlobLimits Read(Config configuration)
    {
        var blobs = new SettingsReader(configuration, "efedllm.blobs");
        var piece = (int)blobs.Bytes("piece", 64 << 10, 64 << 20);
        var parallel = blobs.Integer("parallel", 1, 256);
        return new BlobLimits
        {
            Port = blobs.Integer("port", 0, ushort.MaxValue),
            DiskBytes = blobs.Bytes("disk", 1 << 20, 1L << 50),
            PieceBytes = piece,
            Parallel = parallel,
            PerPeer = blobs.Integer("per-peer", 1, parallel),
            Stall = blobs.Duration("stall", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)),
            Uploads = blobs.Integer("uploads", 1, 1024),
            Requests = blobs.Integer("requests", 1, 1_000_000),

            // Whoever asks for a piece counts on getting all of it.
            LargestRange = blobs.Bytes("largest-range", 64 << 20, 1L << 40),
        };
    }
}
