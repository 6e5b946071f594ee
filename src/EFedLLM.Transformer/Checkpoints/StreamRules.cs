using System.Globalization;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Decides whether a range has to be streamed, and refuses what cannot be.</summary>
internal static class StreamRules
{
    /// <summary>The plan of a range that does not fit into memory; null where it fits.</summary>
    /// <param name="source">The model.</param>
    /// <param name="range">A valid range of it.</param>
    /// <param name="memory">Bytes for weights.</param>
    /// <exception cref="NotSupportedException">It cannot be streamed, or needs more memory even so; the message says how much.</exception>
    public static StreamPlan? Plan(IModelSource source, LayerRange range, long memory)
    {
        if (memory == long.MaxValue)
        {
            return null;
        }

        long[] bytes = [.. Enumerable.Range(0, source.Shape.Units).Select(source.UnitBytes)];
        var need = StreamNeed.Of(bytes, range);
        if (need.TotalBytes <= memory)
        {
            return null;
        }

        var what = string.Create(CultureInfo.InvariantCulture, $"{range.Describe(source.Shape.Layers)} takes {need.TotalBytes} bytes of weights, and there is memory for {memory}");
        if (source is not FactoredModel || source.Shape.Encoder is not null)
        {
            throw new NotSupportedException($"{what}: only the layers of factored models that generate text can be streamed from disk. Give it more memory.");
        }

        return StreamPlan.Of(bytes, range, memory)
            ?? throw new NotSupportedException(string.Create(
                CultureInfo.InvariantCulture, $"{what}. Streamed from disk it needs {need.LeastBytes}: one unit is read while another is computed. Give it more memory."));
    }
}
