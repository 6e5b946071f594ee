using System.Text.Json.Serialization;

namespace EFedLLM.Node.Hosting;

/// <summary>A line that a node with a supervisor prints on standard output after <see cref="NodeReady"/>: what its person should know.</summary>
/// <param name="Note">The words.</param>
internal sealed record NodeNote(string Note);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(NodeNote))]
internal sealed partial class NodeNoteJson : JsonSerializerContext;
