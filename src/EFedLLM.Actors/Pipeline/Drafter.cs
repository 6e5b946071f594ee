using System.Runtime.InteropServices;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Pipeline;

/// <summary>The drafts of one session: what is guessed, and what became of it. It allocates nothing for a guess.</summary>
internal sealed class Drafter
{
    private readonly List<int> _tokens;
    private readonly int[] _drafts;
    private readonly DraftPace _pace;
    private int _pending;

    /// <summary>Nothing is guessed yet.</summary>
    /// <param name="prompt">The prompt's token ids.</param>
    /// <param name="most">Most drafts of a step, at least 1.</param>
    public Drafter(ReadOnlySpan<int> prompt, int most)
    {
        (_tokens, _drafts, _pace) = (new List<int>(prompt.Length + 64), new int[most], new DraftPace(most));
        _tokens.AddRange(prompt);
    }

    /// <summary>Tokens that were guessed, without those of steps that did not come back.</summary>
    public int Drafted { get; private set; }

    /// <summary>Those of them that were right.</summary>
    public int Accepted { get; private set; }

    /// <summary>The drafts of the step that is under way.</summary>
    public ReadOnlySpan<int> Pending => _drafts.AsSpan(0, _pending);

    /// <summary>Guesses at most so many tokens for the next step, which are then <see cref="Pending"/>.</summary>
    public void Draft(int most)
    {
        most = Math.Min(most, _pace.Next);
        _pending = most > 0 ? PromptLookup.Draft(CollectionsMarshal.AsSpan(_tokens), _drafts.AsSpan(0, most)) : 0;
    }

    /// <summary>Whether the drafts of the step that is under way are right as far as a token that was drawn, which is the next one.</summary>
    /// <param name="accepted">Drafts before it, which are right.</param>
    /// <param name="choice">What was drawn.</param>
    public bool IsRight(int accepted, TokenChoice choice) => accepted < _pending && _drafts[accepted] == choice.Id;

    /// <summary>A token is known.</summary>
    public void Append(int token) => _tokens.Add(token);

    /// <summary>The step that was under way came back, or one without drafts.</summary>
    /// <param name="accepted">Drafts that were right.</param>
    public void Settle(int accepted)
    {
        (Drafted, Accepted) = (Drafted + _pending, Accepted + accepted);
        _pace.Learn(_pending, accepted);
        _pending = 0;
    }

    /// <summary>What was under way does not come back.</summary>
    public void Drop() => _pending = 0;

    /// <summary>Forgets tokens from a position on.</summary>
    public void Truncate(int length) => _tokens.RemoveRange(length, _tokens.Count - length);
}
