using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Caching;

namespace EFedLLM.Actors.Layers;

/// <summary>What can be wrong with a request, for people.</summary>
internal sealed partial class SessionTable
{
    private string? Problem(OpenSession message)
    {
        var hops = message.Route.Hops;
        if (hops.IsDefaultOrEmpty || hops.Length > ProtocolLimits.Hops || message.HopIndex < 0 || message.HopIndex >= hops.Length || message.Epoch < 1)
        {
            return "the route has no such hop.";
        }

        var next = 0;
        foreach (var hop in hops)
        {
            if (hop.Range.First != next || hop.Range.Count < 1)
            {
                return $"the route has a gap at unit {next}.";
            }

            next = hop.Range.End;
        }

        if (message.Route.Model == model && next != shape.Units)
        {
            return $"the route ends at unit {next} of {shape.Units}.";
        }

        if (message.Route.Model == model && OutputProblem(message.Output) is { } problem)
        {
            return problem;
        }

        if ((ScoredProblem(message) ?? TrustProblem(message) ?? PrefixProblem(message)) is { } trouble)
        {
            return trouble;
        }

        return message.TokenLimit < 1 || (message.Route.Model == model && message.TokenLimit > shape.ContextLength)
            ? $"{message.TokenLimit} positions are impossible; the model has {shape.ContextLength}."
            : SamplingRules.Problem(message.Sampling);
    }

    private static string? Problem(ResumeSession message, ShardSession session)
    {
        var (hop, starts) = (session.Open.HopIndex, message.Starts);
        if (starts.IsDefault || starts.Length != session.Open.Route.Hops.Length || message.Length < 1 || message.Length > session.Open.TokenLimit + 1)
        {
            return "where to go on is said for another route.";
        }

        var has = session.Opened();
        if (starts[hop] < 0 || starts[hop] > has.KvLength || starts[hop] > message.Length)
        {
            return $"it is to go on at position {starts[hop]} and has {has.KvLength}.";
        }

        return session.Next is not null && (starts[hop + 1] < 0 || (starts[hop + 1] < starts[hop] && starts[hop + 1] < has.KeptFrom))
            ? $"the next hop lacks position {starts[hop + 1]}, of which nothing is kept before {has.KeptFrom}."
            : null;
    }

    /// <summary>What the next hop has already is not computed with drafts behind it: it would get them without what is before them.</summary>
    private static string? DraftProblem(StepPiece piece, ShardSession session)
        => piece.Rows is < 2 or > ProtocolLimits.Drafts + 1 || !piece.Sample ? $"a step has 1 to {ProtocolLimits.Drafts} drafts, and a token is drawn after them."
            : session.IsCheck || session.IsWhole ? "drafts are for sessions that generate."
            : piece.Position < session.ForwardFrom ? $"the next hop has position {piece.Position} already, so that nothing is drawn behind it."
            : null;

    /// <summary>Whole positions from their first value on, or a part of one that cuts no key and no value.</summary>
    private string? Problem(FeedCache message, ShardSession session)
    {
        if (message.Rows < 1 || message.Rows > session.Open.TokenLimit - message.Position)
        {
            return $"the session was opened for {session.Open.TokenLimit} positions.";
        }

        var (width, row, length) = (KvCache.ValuesFor(shape, range), shape.KeyValueHeads * shape.HeadSize, message.Values.Length);
        var isWhole = message.Offset == 0 && length == (long)message.Rows * width;
        var isPart = message.Rows == 1 && length > 0 && length <= width - message.Offset && message.Offset % row == 0 && length % row == 0;
        return isWhole || isPart ? null : $"{length} keys and values from value {message.Offset} on are not those of {message.Rows} positions of {width}.";
    }

    /// <summary>The last token may be there only to be scored, at a position that is never computed.</summary>
    private string? ScoredProblem(OpenSession message)
        => message.Scored.IsDefaultOrEmpty ? null
            : message.Output != SequenceOutput.None ? "an encoder scores no prompt."
            : message.Scored.Length - 1 > message.TokenLimit ? $"{message.Scored.Length} tokens to score are more than a session of {message.TokenLimit} positions has."
            : message.Route.Model == model && message.Scored.AsSpan().ContainsAnyExceptInRange(0, shape.VocabularySize - 1) ? $"a token to score is outside the vocabulary of {shape.VocabularySize}."
            : null;

    private string? TrustProblem(OpenSession message) => message switch
    {
        { Signed: true, Audit: not null } => "a session that checks another one signs no receipts.",
        { Signed: true } when key is null => "this device has no key to sign receipts with.",
        { Signed: true } or { Audit: not null } when key is not null && message.Cluster != cluster => $"the session is of cluster {message.Cluster.Short}, and this device signs for {cluster.Short} alone.",
        { Audit.DrawFrom: < 0 } => $"nothing is drawn at position {message.Audit.DrawFrom}.",
        { Audit.Refed: { IsDefault: false, Length: > ProtocolLimits.RefedSpans } } => $"more than {ProtocolLimits.RefedSpans} spans were fed again.",
        { Audit: not null } when !message.Scored.IsDefaultOrEmpty => "a session that checks another one scores no prompt.",
        _ => null,
    };

    private string? OutputProblem(SequenceOutput output) => (shape.Encoder, output) switch
    {
        (null, SequenceOutput.None) => null,
        (null, _) => $"{shape.Architecture} generates text and encodes none.",
        (_, SequenceOutput.None) => $"{shape.Architecture} encodes text and generates none.",
        _ => shape.OutputWidth(output) > 0 ? null : $"{shape.Architecture} does not give {output}.",
    };
}
