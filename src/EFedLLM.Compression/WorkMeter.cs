using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>
/// Tells a listener how far a calibrated compression is: each pass over the model counts its weights once more, in bytes
/// as the checkpoint could have them at 16 bits. A search does not know how many passes it will take; it counts one ahead.
/// </summary>
internal sealed class WorkMeter(ModelShape shape, IProgress<CompressionProgress>? listener)
{
    private long _done;
    private int _passes = 2;
    private int _begun;

    /// <summary>Says that another pass begins.</summary>
    public void BeginPass() => _passes = Math.Max(_passes, ++_begun);

    /// <summary>Says that a pass is done with a unit.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="what">What was done with it, for people.</param>
    public void UnitDone(int unit, string what)
    {
        _done += BytesOf(unit);
        var place = unit == 0 ? "embedding" : unit <= shape.Layers ? $"layer {unit - 1}" : "head";
        var total = _passes * Enumerable.Range(0, shape.Units).Sum(BytesOf);
        listener?.Report(new CompressionProgress(unit + 1, shape.Units, Math.Min(_done, total), total, $"{place}: {what}"));
    }

    private long BytesOf(int unit) => ManifestLayout.Sites(shape, unit).Sum(site => 2L * site.Outputs * site.Inputs);
}
