using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>Scratch memory for <see cref="LinearLayer.Apply(LinearInput, Span{float}, ComputeTeam)"/>: quantised activations and low-rank products. One per computing thread of control.</summary>
public sealed class LinearWorkspace
{
    private readonly QuantisedRows _narrow = new();
    private readonly QuantisedRows _wide = new();
    private readonly List<LowRankProduct> _lowRank = [];

    /// <summary>How many inputs were begun: the number of the present one.</summary>
    internal long Begun { get; private set; }

    /// <summary>The loop over blocks of rows.</summary>
    internal JointProduct Joint { get; } = new();

    /// <summary>How many products V·x of the present input were begun.</summary>
    internal int LowRankUsed { get; private set; }

    /// <summary>Forgets what was done for the last input.</summary>
    /// <returns>The number of the new one.</returns>
    internal long Begin()
    {
        _narrow.Clear();
        _wide.Clear();
        for (var i = 0; i < LowRankUsed; i++)
        {
            _lowRank[i].Clear();
        }

        LowRankUsed = 0;
        return ++Begun;
    }

    /// <summary>The input's rows, quantised in groups of some size.</summary>
    /// <param name="x">The input, [rows, inputs].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="inputs">Width of a row.</param>
    /// <param name="group">Values that share a scale, 32 or 64.</param>
    /// <param name="team">The threads that share the work.</param>
    internal unsafe ActivationRows Quantised(float* x, int rows, int inputs, int group, ComputeTeam team)
    {
        var quantised = group == 32 ? _narrow : _wide;
        if (!quantised.IsFilled)
        {
            quantised.Fill(x, rows, inputs, group, team);
        }

        return quantised.Rows;
    }

    /// <summary>V·x of the input, quantised in groups of some size; perhaps not computed yet.</summary>
    /// <param name="v">V.</param>
    /// <param name="x">The input, quantised in V's groups.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="group">Values of V·x that share a scale.</param>
    /// <param name="width">The registers to use.</param>
    /// <param name="earlier">Products that were begun before the present loop: of these only what is computed is used.</param>
    /// <param name="isNew">Whether it was begun here, so that it is to be computed by whoever asked.</param>
    internal LowRankProduct LowRank(BlockMatrix v, ActivationRows x, int rows, int group, KernelWidth width, int earlier, out bool isNew)
    {
        for (var i = 0; i < LowRankUsed; i++)
        {
            if ((i >= earlier || _lowRank[i].IsReady) && _lowRank[i].IsOf(v, group))
            {
                isNew = false;
                return _lowRank[i];
            }
        }

        if (LowRankUsed == _lowRank.Count)
        {
            _lowRank.Add(new LowRankProduct());
        }

        isNew = true;
        var product = _lowRank[LowRankUsed++];
        product.Begin(v, x, rows, group, width);
        return product;
    }
}
