using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Messages of one session.</summary>
internal static class SessionCodecs
{
    private const int Small = 4 * 1024;
    private const int WithText = 16 * 1024;
    private const int WithChoices = 16 * 1024;
    private const int WithValues = ProtocolLimits.RowBytes + Small;
    private const int WithRoute = (ProtocolLimits.Hops * 4 * 1024) + (ProtocolLimits.SessionTokens * 5) + WithPages;
    private const int WithPages = (ProtocolLimits.PrefixPages * PageKey.Bytes) + Small;
    private const int WithScores = (2 * ProtocolLimits.ActivationBytes) + Small;

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        HiddenFraming.Codec,
        WireCodec.Of<OpenSession, Form.OpenSession>("os", WithRoute, Form.OpenSession.Parser, Write, Read),
        WireCodec.Of<FeedTokens, Form.FeedTokens>("ft", Small, Form.FeedTokens.Parser, Write, Read),
        WireCodec.Of<HiddenReceived, Form.HiddenReceived>("hr", Small, Form.HiddenReceived.Parser, Write, Read),
        WireCodec.Of<CloseSession, Form.CloseSession>("cs", WithPages, Form.CloseSession.Parser, Write, Read),
        WireCodec.Of<SessionOpened, Form.SessionOpened>("so", Small, Form.SessionOpened.Parser, Write, Read),
        WireCodec.Of<ResumeSession, Form.ResumeSession>("rs", Small, Form.ResumeSession.Parser, Write, Read),
        WireCodec.Of<SessionMoving, Form.SessionMoving>("sv", Small, Form.SessionMoving.Parser, Write, Read),
        WireCodec.Of<SessionRefused, Form.SessionRefused>("sr", WithText, Form.SessionRefused.Parser, Write, Read),
        WireCodec.Of<RowsComputed, Form.RowsComputed>("rc", WithScores, Form.RowsComputed.Parser, Write, Read),
        WireCodec.Of<TokenSampled, Form.TokenSampled>("ts", WithChoices, Form.TokenSampled.Parser, Write, Read),
        WireCodec.Of<SequenceEncoded, Form.SequenceEncoded>("se", WithValues, Form.SequenceEncoded.Parser, Write, Read),
        WireCodec.Of<StepRejected, Form.StepRejected>("sj", Small, Form.StepRejected.Parser, Write, Read),
        WireCodec.Of<StepFailed, Form.StepFailed>("sf", WithText, Form.StepFailed.Parser, Write, Read),
    ];

    private static Form.OpenSession Write(OpenSession message, ActorPaths paths)
    {
        var form = new Form.OpenSession
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            Model = Values.Write(message.Route.Model),
            HopIndex = message.HopIndex,
            TokenLimit = message.TokenLimit,
            Sampling = Values.Write(message.Sampling),
            Pipeline = paths.Write(message.Pipeline),
            Output = (int)message.Output,
            Signed = message.Signed,
            Audit = message.Audit is { } audit ? AuditCodecs.Write(audit) : null,
            Cluster = message.Signed ? Values.Write(message.Cluster) : ByteString.Empty,
            Commitment = message.Signed ? Values.Write(message.Commitment) : ByteString.Empty,
            Prefix = Values.Write(message.Prefix),
        };
        Values.Write(form.Scored, message.Scored.IsDefault ? [] : message.Scored);
        foreach (var hop in message.Route.Hops.AsSpan())
        {
            form.Hops.Add(new Form.Hop { Device = Values.Write(hop.Device), Range = Values.Write(hop.Range), Shard = paths.Write(hop.Shard) });
        }

        return form;
    }

    private static OpenSession Read(Form.OpenSession form, ActorPaths paths) => new(
        Values.Session(form.Session),
        Values.Epoch(form.Epoch),
        new Route(Values.Model(form.Model), Hops(form, paths)),
        Require.Within(form.HopIndex, 0, form.Hops.Count - 1, "hop_index"),
        Require.Within(form.TokenLimit, 1, ProtocolLimits.SessionTokens, "token_limit"),
        Values.Sampling(form.Sampling),
        paths.Read(form.Pipeline, "pipeline"),
        Require.Defined<SequenceOutput>(form.Output, "output"),
        Values.Tokens(form.Scored, ProtocolLimits.SessionTokens, "scored"),
        form.Signed,
        form.Audit is { } audit ? AuditCodecs.Read(audit) : null,
        form.Signed ? Values.Cluster(form.Cluster) : default,
        form.Signed ? Values.Digest(form.Commitment, "commitment") : default,
        Values.PageKeys(form.Prefix, "prefix"));

    private static ImmutableArray<Hop> Hops(Form.OpenSession form, ActorPaths paths)
    {
        Require.Within(form.Hops.Count, 1, ProtocolLimits.Hops, "number of hops");
        var hops = ImmutableArray.CreateBuilder<Hop>(form.Hops.Count);
        var next = 0;
        foreach (var hop in form.Hops)
        {
            var range = Values.Range(hop.Range);
            if (range.First != next)
            {
                throw new MalformedMessageException($"hop {hops.Count} starts at unit {range.First}; the one before ends at {next}.");
            }

            next = range.End;
            hops.Add(new Hop(Values.Device(hop.Device, "device"), range, paths.Read(hop.Shard, "shard")));
        }

        return hops.MoveToImmutable();
    }

    private static Form.FeedTokens Write(FeedTokens message, ActorPaths _)
    {
        var form = new Form.FeedTokens { Session = Values.Write(message.Session), Epoch = message.Epoch, Position = message.Position, Sample = message.Sample, Drafted = message.Drafted };
        Values.Write(form.Tokens, message.Tokens);
        return form;
    }

    private static FeedTokens Read(Form.FeedTokens form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        var tokens = Values.Tokens(form.Tokens, ProtocolLimits.TokensPerFeed, "tokens");
        Require.Within(tokens.Length, 1, ProtocolLimits.SessionTokens - position, "number of tokens");
        return new FeedTokens(Values.Session(form.Session), Values.Epoch(form.Epoch), position, tokens, form.Sample, form.Drafted);
    }

    private static Form.HiddenReceived Write(HiddenReceived message, ActorPaths _)
        => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, Position = message.Position };

    private static HiddenReceived Read(Form.HiddenReceived form, ActorPaths _) => new(Values.Session(form.Session), Values.Epoch(form.Epoch), Values.Position(form.Position));

    private static Form.CloseSession Write(CloseSession message, ActorPaths _) => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, Pages = Values.Write(message.Pages) };

    private static CloseSession Read(Form.CloseSession form, ActorPaths _) => new(Values.Session(form.Session), Values.Epoch(form.Epoch), Values.PageKeys(form.Pages, "pages"));

    private static Form.ResumeSession Write(ResumeSession message, ActorPaths _)
    {
        var form = new Form.ResumeSession { Session = Values.Write(message.Session), Epoch = message.Epoch, Length = message.Length };
        Values.Write(form.Starts, message.Starts);
        return form;
    }

    private static ResumeSession Read(Form.ResumeSession form, ActorPaths _)
    {
        Require.Within(form.Starts.Count, 1, ProtocolLimits.Hops, "number of starts");
        var length = Require.Within(form.Length, 1, ProtocolLimits.SessionTokens, "length");
        foreach (var start in form.Starts)
        {
            Require.Within(start, 0, length, "starts");
        }

        return new ResumeSession(Values.Session(form.Session), Values.Epoch(form.Epoch), [.. form.Starts], length);
    }

    private static Form.SessionOpened Write(SessionOpened message, ActorPaths _) => new()
    {
        Session = Values.Write(message.Session),
        Epoch = message.Epoch,
        HopIndex = message.HopIndex,
        KvLength = message.KvLength,
        KeptFrom = message.KeptFrom,
    };

    private static SessionOpened Read(Form.SessionOpened form, ActorPaths _)
    {
        var length = Values.Position(form.KvLength, "kv_length");
        return new SessionOpened(
            Values.Session(form.Session), Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex), length, Require.Within(form.KeptFrom, 0, length, "kept_from"));
    }

    private static Form.SessionMoving Write(SessionMoving message, ActorPaths _)
        => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, HopIndex = message.HopIndex };

    private static SessionMoving Read(Form.SessionMoving form, ActorPaths _) => new(Values.Session(form.Session), Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex));

    private static Form.SessionRefused Write(SessionRefused message, ActorPaths _) => new()
    {
        Session = Values.Write(message.Session),
        Epoch = message.Epoch,
        HopIndex = message.HopIndex,
        Reason = (int)message.Reason,
        Message = Values.Clip(message.Message),
    };

    private static SessionRefused Read(Form.SessionRefused form, ActorPaths _) => new(
        Values.Session(form.Session),
        Values.Epoch(form.Epoch),
        Values.HopIndex(form.HopIndex),
        Require.Defined<RefusalReason>(form.Reason, "reason"),
        Require.Text(form.Message, ProtocolLimits.TextCharacters, "message"));

    private static Form.RowsComputed Write(RowsComputed message, ActorPaths _)
    {
        var form = new Form.RowsComputed { Session = Values.Write(message.Session), Epoch = message.Epoch, Position = message.Position, Rows = message.Rows };
        Values.Write(form.HopMicroseconds, message.HopMicroseconds);
        Values.Write(form.Scores, message.Scores);
        return form;
    }

    private static RowsComputed Read(Form.RowsComputed form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        return new RowsComputed(
            Values.Session(form.Session),
            Values.Epoch(form.Epoch),
            position,
            Require.Within(form.Rows, 1, ProtocolLimits.SessionTokens - position, "rows"),
            Values.HopMicroseconds(form.HopMicroseconds),
            Values.Choices(form.Scores, form.Rows, "scores"));
    }

    private static Form.TokenSampled Write(TokenSampled message, ActorPaths _)
    {
        var form = new Form.TokenSampled
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            Position = message.Position,
            Choice = Values.Write(message.Choice),
        };
        Values.Write(form.Further, message.Further);
        Values.Write(form.HopMicroseconds, message.HopMicroseconds);
        return form;
    }

    private static TokenSampled Read(Form.TokenSampled form, ActorPaths _) => new(
        Values.Session(form.Session), Values.Epoch(form.Epoch), Values.Position(form.Position), Values.Choice(form.Choice), Values.HopMicroseconds(form.HopMicroseconds),
        Values.Choices(form.Further, ProtocolLimits.Drafts, "further"));

    private static Form.SequenceEncoded Write(SequenceEncoded message, ActorPaths _)
    {
        var form = new Form.SequenceEncoded { Session = Values.Write(message.Session), Epoch = message.Epoch, Rows = message.Rows };
        Values.Write(form.Values, message.Values);
        Values.Write(form.HopMicroseconds, message.HopMicroseconds);
        return form;
    }

    private static SequenceEncoded Read(Form.SequenceEncoded form, ActorPaths _) => new(
        Values.Session(form.Session),
        Values.Epoch(form.Epoch),
        Require.Within(form.Rows, 1, ProtocolLimits.SessionTokens, "rows"),
        Values.Encoded(form.Values),
        Values.HopMicroseconds(form.HopMicroseconds));

    private static Form.StepRejected Write(StepRejected message, ActorPaths _) => new()
    {
        Session = Values.Write(message.Session),
        Epoch = message.Epoch,
        HopIndex = message.HopIndex,
        Position = message.Position,
        KvLength = message.KvLength,
    };

    private static StepRejected Read(Form.StepRejected form, ActorPaths _) => new(
        Values.Session(form.Session), Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex), Values.Position(form.Position), Values.Position(form.KvLength, "kv_length"));

    private static Form.StepFailed Write(StepFailed message, ActorPaths _)
    {
        var form = new Form.StepFailed
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            HopIndex = message.HopIndex,
            Message = Values.Clip(message.Message),
            Unsound = message.Unsound,
        };
        if (message.Refused is { } position)
        {
            form.Refused = position;
        }

        return form;
    }

    private static StepFailed Read(Form.StepFailed form, ActorPaths _) => new(
        Values.Session(form.Session),
        Values.Epoch(form.Epoch),
        Values.HopIndex(form.HopIndex),
        Require.Text(form.Message, ProtocolLimits.TextCharacters, "message"),
        form.HasRefused ? Values.Position(form.Refused, "refused") : null,
        form.Unsound);
}
