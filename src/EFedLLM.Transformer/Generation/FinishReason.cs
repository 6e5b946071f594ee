namespace EFedLLM.Transformer.Generation;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model produced an end token, or a stop text occurred.</summary>
    Stop,

    /// <summary>The token limit or the context length was reached.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
