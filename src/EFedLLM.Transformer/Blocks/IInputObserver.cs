using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Blocks;

/// <summary>Sees what the matrices of a <see cref="TransformerShard"/> multiply, for example to calibrate their compression.</summary>
public interface IInputObserver
{
    /// <summary>
    /// Is told the input of one place, on the thread that called <see cref="TransformerShard.Forward"/>, before the
    /// matrices there multiply it: for each layer <see cref="InputSite.Attention"/>, <see cref="InputSite.Output"/>,
    /// <see cref="InputSite.FeedForward"/> and <see cref="InputSite.Down"/>, in this order, with all rows of the batch; then
    /// <see cref="InputSite.Head"/> with the rows whose logits are computed, where there are any. What it throws ends the
    /// forward pass, as if the batch had not been computed.
    /// </summary>
    /// <param name="unit">The unit of the matrices, as in <see cref="MatrixForm.Unit"/>: layer + 1, or the number of layers + 1 for the head.</param>
    /// <param name="site">The place.</param>
    /// <param name="x">[rows, width of the place], row-major, in float32 as it is before any quantising; holds good during the call only. Finite, except that a gain of the final norm may overflow.</param>
    /// <param name="rows">Number of rows: positions of the steps, one step after the other.</param>
    void Observe(int unit, InputSite site, ReadOnlySpan<float> x, int rows);
}
