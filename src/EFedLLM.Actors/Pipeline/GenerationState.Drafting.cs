using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// What differs when tokens are guessed ahead: a step carries them behind the one that is known, the head draws after each as it would
/// without them, and what is drawn counts as far as the guesses before it are what was drawn in their places. So the answer is the same.
/// </summary>
internal sealed partial class GenerationState
{
    /// <summary>
    /// Drafts behind the last token that is known, when that is the next to be fed and nothing else is under way. After a repair not before
    /// every hop is there: one that is further would get the drafts alone. None beyond the last token that may be drawn.
    /// </summary>
    private ReadOnlySpan<int> Drafts()
    {
        if (_drafter is null || _generated.Count == 0 || _fed != Known - 1 || _computed != _fed || _reach > _fed)
        {
            return [];
        }

        _drafter.Draft(_plan.Settings.MaxTokens - _generated.Count - 1);
        return _drafter.Pending;
    }

    private bool Exists(TokenChoice choice) => choice.Id >= 0 && choice.Id < _plan.VocabularySize;

    /// <summary>Whether as many tokens were drawn as there were drafts.</summary>
    private bool IsBehindDrafts(TokenSampled message)
    {
        var further = message.Further.AsSpan();
        if (further.Length != (_drafter?.Pending.Length ?? 0))
        {
            return false;
        }

        foreach (var choice in further)
        {
            if (!Exists(choice))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Takes what was drawn as far as the drafts are right and the answer goes; the hops forget the others with the next step.</summary>
    private void Take(TokenSampled message, double transport)
    {
        _drawn.Clear();
        var (choice, accepted) = (message.Choice, 0);
        Take(choice, transport);
        while (_answer.Finished is null && _drafter?.IsRight(accepted, choice) == true)
        {
            choice = message.Further[accepted++];
            Take(choice, 0);
        }

        if (_drafter is not null && !_drafter.Pending.IsEmpty)
        {
            (_fed, _reach) = (Known - 1, Known - 1);
        }

        _drafter?.Settle(accepted);
    }

    private void Take(TokenChoice choice, double transport)
    {
        _audit?.Drawn(Known - 1, choice);
        _drawn.Add(new TokenGenerated(_plan.Prompt, _generated.Count, choice, _answer.Append(choice.Id), transport));
        _generated.Add(choice.Id);
        _drafter?.Append(choice.Id);
    }

    private void TellDrawn()
    {
        foreach (var told in _drawn)
        {
            Tell(told, _plan.Tokens.Length + told.Index);
        }
    }
}
