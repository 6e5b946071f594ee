using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Tokenizers;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>
/// Messages between a gateway and whoever asks it. Of a prompt only sizes and finite numbers are demanded here: whether its
/// settings make sense is for the gateway, which answers with a reason where a dropped message would answer nothing.
/// </summary>
internal static class GatewayCodecs
{
    private const int Small = 1024;
    private const int WithText = 16 * 1024;
    private const int WithValues = ProtocolLimits.RowBytes + Small;
    private const int WithScores = (2 * ProtocolLimits.ActivationBytes) + Small;
    private const int WithUnits = (HopSigned.MostUnits * 320) + (ProtocolLimits.SessionVerifiers * 32) + Small;
    private const int WithPrompt = (4 * ProtocolLimits.PromptCharacters) + (1 << 20);

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<Prompt, Form.Prompt>("pr", WithPrompt, Form.Prompt.Parser, Write, Read),
        WireCodec.Of<CancelGeneration, Form.CancelGeneration>("cg", Small, Form.CancelGeneration.Parser, Write, Read),
        WireCodec.Of<GenerationStarted, Form.GenerationStarted>("gs", WithPrompt, Form.GenerationStarted.Parser, Write, Read),
        WireCodec.Of<TokenGenerated, Form.TokenGenerated>("tg", WithText, Form.TokenGenerated.Parser, Write, Read),
        WireCodec.Of<PromptScored, Form.PromptScored>("ps", WithScores, Form.PromptScored.Parser, Write, Read),
        WireCodec.Of<TextEncoded, Form.TextEncoded>("te", WithValues, Form.TextEncoded.Parser, Write, Read),
        WireCodec.Of<HopSigned, Form.HopSigned>("hs", WithUnits, Form.HopSigned.Parser, Write, Read),
        WireCodec.Of<GenerationFinished, Form.GenerationFinished>("gf", WithText, Form.GenerationFinished.Parser, Write, Read),
        WireCodec.Of<GenerationFailed, Form.GenerationFailed>("gx", WithText, Form.GenerationFailed.Parser, Write, Read),
    ];

    private static Form.Prompt Write(Prompt message, ActorPaths _)
    {
        var form = new Form.Prompt
        {
            Id = Values.Write(message.Id.Value),
            Sampling = Values.Write(message.Settings.Sampling),
            MaxTokens = message.Settings.MaxTokens,
            IgnoreEndTokens = message.Settings.IgnoreEndTokens,
            Output = (int)message.Output,
            ScorePrompt = message.ScorePrompt,
            Verified = message.Verified,
            Signed = message.Signed,
            Tenant = message.Tenant,
        };
        Values.Write(form.Stop, message.Settings.Stop);
        if (message.Model is not null)
        {
            form.Model = message.Model;
        }

        if (message.Drafts is { } drafts)
        {
            form.Drafts = drafts;
        }

        switch (message.Input)
        {
            case { Text: { } text, Messages: null, Tokens: null }:
                form.Text = text;
                break;
            case { Text: null, Messages: { } messages, Tokens: null }:
                form.Chat = new Form.ChatInput();
                foreach (var turn in messages.AsSpan())
                {
                    form.Chat.Messages.Add(new Form.ChatMessage { Role = turn.Role, Content = turn.Content });
                }

                break;
            case { Text: null, Messages: null, Tokens: { } tokens }:
                form.Tokens = new Form.TokenInput();
                Values.Write(form.Tokens.Tokens, tokens);
                break;
            default:
                throw new ArgumentException("A prompt's input is exactly one of text, messages and tokens.", nameof(message));
        }

        return form;
    }

    private static Prompt Read(Form.Prompt form, ActorPaths _)
    {
        Require.Count(form.Stop.Count, ProtocolLimits.StopTexts, "stop");
        var settings = new GenerationSettings
        {
            Sampling = Values.AnySampling(form.Sampling),
            MaxTokens = form.MaxTokens,
            Stop = [.. form.Stop.Select(text => Require.Text(text, ProtocolLimits.StopCharacters, "stop"))],
            IgnoreEndTokens = form.IgnoreEndTokens,
        };
        return new Prompt(
            new PromptId(Values.Uuid(form.Id, "id")),
            ReadInput(form),
            settings,
            form.HasModel ? Require.Text(form.Model, ProtocolLimits.TextCharacters, "model") : null,
            Require.Defined<SequenceOutput>(form.Output, "output"),
            form.ScorePrompt,
            form.Verified,
            form.Signed,
            Require.Text(form.Tenant, ProtocolLimits.TenantCharacters, "tenant"),
            form.HasDrafts ? Require.Within(form.Drafts, 0, ProtocolLimits.Drafts, "drafts") : null);
    }

    private static PromptInput ReadInput(Form.Prompt form)
    {
        switch (form.InputCase)
        {
            case Form.Prompt.InputOneofCase.Text:
                return new PromptInput(Text: Require.Text(form.Text, ProtocolLimits.PromptCharacters, "text"));
            case Form.Prompt.InputOneofCase.Tokens:
                return new PromptInput(Tokens: Values.Tokens(form.Tokens.Tokens, ProtocolLimits.SessionTokens, "tokens"));
            case Form.Prompt.InputOneofCase.Chat:
                Require.Count(form.Chat.Messages.Count, ProtocolLimits.ChatMessages, "messages");
                var left = ProtocolLimits.PromptCharacters;
                var messages = ImmutableArray.CreateBuilder<ChatMessage>(form.Chat.Messages.Count);
                foreach (var turn in form.Chat.Messages)
                {
                    Require.Text(turn.Role, ProtocolLimits.TextCharacters, "role");
                    left -= Require.Text(turn.Content, left, "chat").Length;
                    messages.Add(new ChatMessage(turn.Role, turn.Content));
                }

                return new PromptInput(Messages: messages.MoveToImmutable());
            default:
                throw new MalformedMessageException("input is missing.");
        }
    }

    private static Form.PromptScored Write(PromptScored message, ActorPaths _)
    {
        var form = new Form.PromptScored { Id = Values.Write(message.Id.Value), Index = message.Index };
        Values.Write(form.Choices, message.Choices);
        return form;
    }

    private static PromptScored Read(Form.PromptScored form, ActorPaths _)
    {
        var index = Values.Position(form.Index, "index");
        return new PromptScored(Id(form.Id), index, Values.Choices(form.Choices, ProtocolLimits.SessionTokens - index, "choices"));
    }

    private static Form.TextEncoded Write(TextEncoded message, ActorPaths _)
    {
        var form = new Form.TextEncoded { Id = Values.Write(message.Id.Value) };
        Values.Write(form.Values, message.Values);
        return form;
    }

    private static TextEncoded Read(Form.TextEncoded form, ActorPaths _) => new(Id(form.Id), Values.Encoded(form.Values));

    private static Form.CancelGeneration Write(CancelGeneration message, ActorPaths _) => new() { Id = Values.Write(message.Id.Value) };

    private static CancelGeneration Read(Form.CancelGeneration form, ActorPaths _) => new(Id(form.Id));

    private static Form.GenerationStarted Write(GenerationStarted message, ActorPaths _)
    {
        var form = new Form.GenerationStarted
        {
            Id = Values.Write(message.Id.Value),
            Session = Values.Write(message.Session),
            Model = Values.Write(message.Model),
            ModelName = message.ModelName,
        };
        Values.Write(form.PromptTokens, message.PromptTokens);
        foreach (var hop in message.Route.AsSpan())
        {
            form.Route.Add(new Form.HopDescription { Device = Values.Write(hop.Device), Address = hop.Address, Range = Values.Write(hop.Range) });
        }

        return form;
    }

    private static GenerationStarted Read(Form.GenerationStarted form, ActorPaths _)
    {
        Require.Count(form.Route.Count, ProtocolLimits.Hops, "route");
        return new GenerationStarted(
            Id(form.Id),
            Values.Session(form.Session),
            Values.Model(form.Model),
            Require.Text(form.ModelName, ProtocolLimits.TextCharacters, "model_name"),
            Values.Tokens(form.PromptTokens, ProtocolLimits.SessionTokens, "prompt_tokens"),
            [.. form.Route.Select(hop => new HopDescription(
                Values.Device(hop.Device, "device"),
                Require.Text(hop.Address, ProtocolLimits.TextCharacters, "address"),
                Values.Range(hop.Range)))]);
    }

    private static Form.TokenGenerated Write(TokenGenerated message, ActorPaths _) => new()
    {
        Id = Values.Write(message.Id.Value),
        Index = message.Index,
        Choice = Values.Write(message.Choice),
        Text = message.Text,
        TransportMilliseconds = message.TransportMilliseconds,
    };

    private static TokenGenerated Read(Form.TokenGenerated form, ActorPaths _) => new(
        Id(form.Id),
        Values.Position(form.Index, "index"),
        Values.Choice(form.Choice),
        Require.Text(form.Text, ProtocolLimits.TextCharacters, "text"),
        Require.NotNegative(form.TransportMilliseconds, "transport_milliseconds"));

    private static Form.GenerationFinished Write(GenerationFinished message, ActorPaths _)
    {
        var timing = new Form.GenerationTiming
        {
            PromptTokens = message.Timing.PromptTokens,
            GeneratedTokens = message.Timing.GeneratedTokens,
            QueueMilliseconds = message.Timing.QueueMilliseconds,
            PrefillMilliseconds = message.Timing.PrefillMilliseconds,
            DecodeMilliseconds = message.Timing.DecodeMilliseconds,
            CachedTokens = message.Timing.CachedTokens,
            DraftedTokens = message.Timing.DraftedTokens,
            AcceptedTokens = message.Timing.AcceptedTokens,
        };
        Values.Write(timing.HopComputeMilliseconds, message.Timing.HopComputeMilliseconds);
        return new Form.GenerationFinished
        {
            Id = Values.Write(message.Id.Value),
            Reason = message.Reason switch
            {
                FinishReason.Stop => 1,
                FinishReason.Length => 2,
                FinishReason.Cancelled => 3,
                _ => throw new ArgumentException($"The finish reason {message.Reason} has no number on the wire.", nameof(message)),
            },
            Text = message.Text,
            Timing = timing,
            Receipts = message.Receipts == default ? ByteString.Empty : Values.Write(message.Receipts),
        };
    }

    private static GenerationFinished Read(Form.GenerationFinished form, ActorPaths _)
    {
        var timing = Require.Present(form.Timing, "timing");
        Require.Count(timing.HopComputeMilliseconds.Count, ProtocolLimits.Hops, "hop_compute_milliseconds");
        return new GenerationFinished(
            Id(form.Id),
            form.Reason switch
            {
                1 => FinishReason.Stop,
                2 => FinishReason.Length,
                3 => FinishReason.Cancelled,
                _ => throw new MalformedMessageException($"reason is {form.Reason}, which means nothing."),
            },
            Require.Text(form.Text, ProtocolLimits.TextCharacters, "text"),
            new GenerationTiming(
                Values.Position(timing.PromptTokens, "prompt_tokens"),
                Values.Position(timing.GeneratedTokens, "generated_tokens"),
                Require.NotNegative(timing.QueueMilliseconds, "queue_milliseconds"),
                Require.NotNegative(timing.PrefillMilliseconds, "prefill_milliseconds"),
                Require.NotNegative(timing.DecodeMilliseconds, "decode_milliseconds"),
                [.. timing.HopComputeMilliseconds.Select(time => Require.NotNegative(time, "hop_compute_milliseconds"))],
                Require.Within(timing.CachedTokens, 0, timing.PromptTokens, "cached_tokens"),
                Require.Within(timing.DraftedTokens, 0, int.MaxValue, "drafted_tokens"),
                Require.Within(timing.AcceptedTokens, 0, timing.DraftedTokens, "accepted_tokens")),
            form.Receipts.IsEmpty ? default : Values.Digest(form.Receipts, "receipts"));
    }

    private static Form.HopSigned Write(HopSigned message, ActorPaths _)
    {
        var first = message.Units[0].Receipt;
        var form = new Form.HopSigned
        {
            Id = Values.Write(message.Id.Value),
            HopIndex = message.HopIndex,
            PublicKey = ByteString.CopyFrom(message.PublicKey.Span),
            Session = Values.Write(first.Session),
            Model = Values.Write(first.Model),
            Range = Values.Write(first.Range),
            CheckedTo = message.CheckedTo,
            Cluster = Values.Write(first.Cluster),
            Commitment = Values.Write(message.Commitment),
        };
        form.CheckedBy.AddRange(message.CheckedBy.Select(Values.Write));
        form.Units.AddRange(message.Units.Select(signed => ReceiptForm.Write(signed, hasPrevious: true)));
        return form;
    }

    private static HopSigned Read(Form.HopSigned form, ActorPaths _)
    {
        Require.Count(form.CheckedBy.Count, ProtocolLimits.SessionVerifiers, "checked_by");
        Require.Within(form.Units.Count, 1, HopSigned.MostUnits, "number of units");
        var work = ReceiptForm.ReadWork(form.Cluster, form.PublicKey, form.Session, form.Model, form.Range);
        return new HopSigned(
            Id(form.Id),
            Values.HopIndex(form.HopIndex),
            form.PublicKey.ToByteArray(),
            Values.Position(form.CheckedTo, "checked_to"),
            [.. form.CheckedBy.Select(device => Values.Device(device, "checked_by"))],
            [.. form.Units.Select(unit => ReceiptForm.Read(unit, work, Values.Digest(unit.Previous, "previous")))],
            Values.Digest(form.Commitment, "commitment"));
    }

    private static Form.GenerationFailed Write(GenerationFailed message, ActorPaths _) => new()
    {
        Id = Values.Write(message.Id.Value),
        Error = (int)message.Error,
        Message = Values.Clip(message.Message),
    };

    private static GenerationFailed Read(Form.GenerationFailed form, ActorPaths _) => new(
        Id(form.Id),
        Require.Defined<GenerationError>(form.Error, "error"),
        Require.Text(form.Message, ProtocolLimits.TextCharacters, "message"));

    private static PromptId Id(Form.Id128? form) => new(Values.Uuid(form, "id"));
}
