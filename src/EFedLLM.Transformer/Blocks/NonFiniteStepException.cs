namespace EFedLLM.Transformer.Blocks;

/// <summary>A step's input or result is infinite or NaN. No cache of the batch has changed its length: the other steps can be computed again without this one.</summary>
public sealed class NonFiniteStepException : ArithmeticException
{
    internal NonFiniteStepException(int step, string message)
        : base(message) => Step = step;

    /// <summary>Index of the step in the batch.</summary>
    public int Step { get; }
}
