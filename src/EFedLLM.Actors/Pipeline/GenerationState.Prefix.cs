using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// What differs when hops may have kept what came of the same first tokens: they say at the opening how many positions they have, and the first epoch begins as that of
/// a repaired route does, behind the positions that all of them have.
/// </summary>
internal sealed partial class GenerationState
{
    // Positions that no hop of any route computed.
    private int _reused;

    /// <summary>Most positions that a hop can have when it is opened: those it was asked for, and in a later epoch all it was given.</summary>
    private int MostHeld => _current.Epoch == FirstEpoch ? _plan.Prefix?.Positions ?? 0 : _mostKnown;

    /// <summary>The names of the pages behind those of the prompt that every hop has computed: the last token has been drawn and not computed on.</summary>
    private ImmutableArray<PageKey> PagesOfAnswer()
    {
        if (_plan.Prefix is not { } prefix || Known - 1 - prefix.Positions < KvCache.PagePositions)
        {
            return default;
        }

        return prefix.With(Tokens(prefix.Positions, Known - 1 - prefix.Positions).AsSpan()).Keys[prefix.Keys.Length..];
    }
}
