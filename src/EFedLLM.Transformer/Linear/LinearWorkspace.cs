namespace EFedLLM.Transformer.Linear;

/// <summary>Scratch memory for <see cref="LinearLayer.Apply"/>: quantised activations and the low-rank intermediate. One per computing thread of control.</summary>
public sealed class LinearWorkspace
{
    private float[] _lowRank = [];

    /// <summary>The input, quantised in the groups of the base.</summary>
    internal QuantisedRows BaseInput { get; } = new();

    /// <summary>The input, quantised in the groups of V where they are not those of the base.</summary>
    internal QuantisedRows FactorInput { get; } = new();

    /// <summary>V·x, quantised.</summary>
    internal QuantisedRows LowRankInput { get; } = new();

    /// <summary>The loop over blocks of rows.</summary>
    internal BlockProduct Product { get; } = new();

    /// <summary>V·x, at least [length]; stays where it is in memory until a longer one is asked for.</summary>
    internal float[] LowRank(int length)
    {
        if (_lowRank.Length < length)
        {
            _lowRank = GC.AllocateUninitializedArray<float>(length, pinned: true);
        }

        return _lowRank;
    }
}
