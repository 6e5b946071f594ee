namespace EFedLLM.Compression.Evaluation;

/// <summary>What a limit is about.</summary>
public enum EvalQuantity
{
    /// <summary>The perplexity itself.</summary>
    Perplexity,

    /// <summary>The rise of the perplexity above the reference's: 0.01 is one per cent.</summary>
    PerplexityRise,

    /// <summary>The mean divergence from the reference, in nats.</summary>
    MeanKl,

    /// <summary>The divergence that 99 % of the positions do not exceed, in nats.</summary>
    P99Kl,

    /// <summary>Share of the positions at which the most likely token is the reference's.</summary>
    Top1Agreement,

    /// <summary>Bits per weight as read per token.</summary>
    Bits,

    /// <summary>Accuracy lost against the reference: 0.01 is one point.</summary>
    AccuracyLoss,
}

/// <summary>One limit of a gate.</summary>
/// <param name="Key">What the user calls it, for example <c>max-kl</c>.</param>
/// <param name="Quantity">What it is about.</param>
/// <param name="Value">The largest value allowed; of <see cref="EvalQuantity.Top1Agreement"/> the smallest.</param>
public sealed record EvalLimit(string Key, EvalQuantity Quantity, double Value)
{
    /// <summary>Whether the quantity exists only against a reference.</summary>
    public bool NeedsReference => Quantity is not (EvalQuantity.Perplexity or EvalQuantity.Bits);

    /// <summary>Whether the quantity is measured on a text.</summary>
    public bool NeedsText => Quantity is not (EvalQuantity.Bits or EvalQuantity.AccuracyLoss);

    /// <summary>Whether the quantity is measured on labelled texts.</summary>
    public bool NeedsLabels => Quantity == EvalQuantity.AccuracyLoss;
}
