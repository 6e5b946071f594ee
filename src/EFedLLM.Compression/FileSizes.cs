using System.Collections.Immutable;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>How long the files of a model will be, before anything is written.</summary>
internal static class FileSizes
{
    /// <summary>Bytes of all weight files of a model, headers and alignment included.</summary>
    /// <param name="outline">The manifest as far as it is known before the work.</param>
    public static long Total(ModelManifest outline) => Enumerable.Range(0, outline.Shape.Units).Sum(unit =>
    {
        var layout = new SafetensorsWriter(Stream.Null, outline.Tensors(unit).Select(tensor =>
            (tensor.Name, Enum.Parse<SafetensorsType>(tensor.Type), tensor.Shape.Select(dimension => (long)dimension).ToImmutableArray())));
        var end = layout.Tensors[^1].Offset + layout.Tensors[^1].Bytes;
        return (end + SafetensorsWriter.Alignment - 1) / SafetensorsWriter.Alignment * SafetensorsWriter.Alignment;
    });
}
