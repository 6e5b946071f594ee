namespace EFedLLM.Transformer.Tokenizers;

/// <summary>What differs between the published variants of one template; the defaults are the original's.</summary>
internal sealed record ChatForm
{
    /// <summary>The begin token as text, or empty for none.</summary>
    public string Begin { get; init; } = "";

    /// <summary>The token that ends an answer, as text.</summary>
    public string End { get; init; } = "";

    /// <summary>Whether white space around each message (Mistral: each answer) is removed. Llama 2 and 3 always do so.</summary>
    public bool Trims { get; init; }

    /// <summary>The system message of a chat that brings none, or null.</summary>
    public string? DefaultSystem { get; init; }

    /// <summary>Llama 3.1 and later: the lines that begin the system message, which is then always there.</summary>
    public string? SystemPreamble { get; init; }

    /// <summary>Mistral: what stands before a user's message.</summary>
    public string Open { get; init; } = "[INST] ";

    /// <summary>Mistral: what stands behind a user's message.</summary>
    public string Close { get; init; } = " [/INST]";

    /// <summary>Mistral: what stands before an answer.</summary>
    public string BeforeAnswer { get; init; } = "";

    /// <summary>Mistral: what stands behind the end token of an answer.</summary>
    public string AfterAnswer { get; init; } = "";

    /// <summary>Mistral: whether the system message goes to the last user message instead of the first.</summary>
    public bool HasSystemInLast { get; init; }
}
