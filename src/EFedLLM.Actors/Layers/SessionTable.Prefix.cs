using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>What sessions that begin with the same tokens share: the whole pages of them that were computed once.</summary>
internal sealed partial class SessionTable
{
    /// <summary>Begins a session that was just opened with what is kept of its first tokens. Its memory is reserved for all its positions, so that nothing of it can be taken away any more.</summary>
    public void Begin(ShardSession session)
    {
        var keys = session.Open.Prefix;
        if (keys.IsDefaultOrEmpty)
        {
            return;
        }

        var (cache, scope) = (session.Cache!, PrefixScope.Of(session.Open));
        if (cache.PositionValues == 0)
        {
            // Nothing is kept of any position here: so nothing is lacking.
            cache.Skip(keys.Length * KvCache.PagePositions);
        }
        else
        {
            cache.Adopt(budget.Pages.Find(scope, keys.AsSpan()));
        }

        // Only the first route is known to have computed everything with the same devices.
        session.NextPosition = cache.Length;
        session.Shares(cache.PositionValues > 0 && session.Epoch == 1 ? scope : null, cache.Length / KvCache.PagePositions);
    }

    /// <summary>Keeps the pages of a session that have become whole since it was last asked, for others that begin with the same tokens. Not while it is computed.</summary>
    public void KeepPages(ShardSession session)
    {
        if (session.PagesToShare is var pages && pages > 0)
        {
            KeepPages(session, session.Open.Prefix, session.Cache!.Share(pages));
            session.Shares(session.PrefixScope, pages);
        }
    }

    /// <summary>The pages of a session that is about to be closed, for <see cref="KeepPages(ShardSession, ImmutableArray{PageKey}, KvPage[])"/> when its own memory is free.</summary>
    /// <param name="session">The session.</param>
    /// <param name="keys">The names of its pages.</param>
    public static KvPage[] PagesOf(ShardSession session, ImmutableArray<PageKey> keys)
        => session is { PrefixScope: not null, IsComputing: false } ? session.Cache!.Share(Math.Min(session.Cache.Length / KvCache.PagePositions, keys.Length)) : [];

    /// <summary>Keeps the first pages of a session.</summary>
    /// <param name="session">The session.</param>
    /// <param name="keys">Their names.</param>
    /// <param name="pages">The pages, not more than names.</param>
    public void KeepPages(ShardSession session, ImmutableArray<PageKey> keys, KvPage[] pages)
    {
        if (session.PrefixScope is { } scope)
        {
            budget.Pages.Keep(this, scope, keys.AsSpan(), pages);
        }
    }

    /// <summary>Forgets all pages that were kept, because the range is given up.</summary>
    public void ForgetPages() => budget.Pages.Forget(this);

    private static string? PrefixProblem(OpenSession message) => message switch
    {
        { Prefix.IsDefaultOrEmpty: true } => null,
        { Signed: true } => "a session that is signed computes every position itself.",
        { Audit: not null } => "a session that checks another one computes every position itself.",
        { Output: not Transformer.Blocks.SequenceOutput.None } => "an encoder keeps nothing of a sequence.",
        { Scored.IsDefaultOrEmpty: false } => "a prompt is scored by what every position gives.",
        { Prefix.Length: > ProtocolLimits.PrefixPages } => $"more than {ProtocolLimits.PrefixPages} pages are named.",
        _ => (long)message.Prefix.Length * KvCache.PagePositions >= message.TokenLimit ? $"{message.Prefix.Length} pages of {KvCache.PagePositions} positions leave none to compute of {message.TokenLimit}." : null,
    };
}
