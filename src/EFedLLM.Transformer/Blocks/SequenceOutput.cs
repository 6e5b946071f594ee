namespace EFedLLM.Transformer.Blocks;

/// <summary>What an encoder makes of a whole sequence.</summary>
public enum SequenceOutput
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The mean of the last layer's output over all positions, special tokens included, [hidden].</summary>
    Mean = 1,

    /// <summary>A logit for each class, from the first position, [classes].</summary>
    Classes = 2,
}
