namespace EFedLLM.Node.Bench;

/// <summary>What guessing ahead gains on one prompt, measured in turn with none of it.</summary>
/// <param name="Prompt"><c>copying</c> or <c>ordinary</c>.</param>
/// <param name="Devices">Device processes.</param>
/// <param name="HopDelayMilliseconds">What is added to each hop.</param>
/// <param name="Tokens">Tokens of an answer, which may end by itself.</param>
/// <param name="Answers">Answers of each side.</param>
/// <param name="OffTokensPerSecond">Median without guesses.</param>
/// <param name="OnTokensPerSecond">Median with them.</param>
/// <param name="Ratio">Median over the pairs of how many times as fast the second is.</param>
/// <param name="Deviation">Half of the spread of that between the quartiles, as a share of it.</param>
/// <param name="Drafted">Tokens guessed in an answer.</param>
/// <param name="Accepted">Those of them that were right.</param>
/// <param name="Identical">Whether every answer had the same tokens with the same probabilities, to the last bit.</param>
internal sealed record DraftSample(
    string Prompt,
    int Devices,
    double HopDelayMilliseconds,
    int Tokens,
    int Answers,
    double OffTokensPerSecond,
    double OnTokensPerSecond,
    double Ratio,
    double Deviation,
    int Drafted,
    int Accepted,
    bool Identical);
