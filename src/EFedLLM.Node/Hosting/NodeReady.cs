using System.Text.Json.Serialization;

namespace EFedLLM.Node.Hosting;

/// <summary>The first line that a node prints on standard output: that it is ready, or why it never will be.</summary>
internal sealed record NodeReady
{
    /// <summary>Whether it is.</summary>
    public required bool Ready { get; init; }

    /// <summary>Why not, as one sentence; null when it is.</summary>
    public string? Error { get; init; }

    /// <summary>Its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Its process id.</summary>
    public int Pid { get; init; }

    /// <summary>Its address in the cluster, <c>host:port</c>.</summary>
    public string Address { get; init; } = "";

    /// <summary>Base address of its HTTP interface, or null.</summary>
    public string? Http { get; init; }

    /// <summary>Its device id, or null where it is none.</summary>
    public string? Device { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeReady))]
internal sealed partial class NodeReadyJson : JsonSerializerContext;
