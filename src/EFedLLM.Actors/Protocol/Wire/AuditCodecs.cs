using System.Collections.Immutable;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Trust;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>What hops sign and give for checks of their work, and what those who check answer.</summary>
internal static class AuditCodecs
{
    private const int Small = 4 * 1024;

    private static readonly MessageParser<Form.KeptRowsHeader> KeptRowsParser = Form.KeptRowsHeader.Parser.WithDiscardUnknownFields(true);

    private static readonly MessageParser<Form.CacheOpenedHeader> CacheOpenedParser = Form.CacheOpenedHeader.Parser.WithDiscardUnknownFields(true);

    private static readonly MessageParser<Form.FeedCacheHeader> FeedCacheParser = Form.FeedCacheHeader.Parser.WithDiscardUnknownFields(true);

    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<UnitSigned, Form.UnitSigned>("us", Small, Form.UnitSigned.Parser, Write, Read),
        WireCodec.Of<SealReceipts, Form.SealReceipts>("sl", Small, Form.SealReceipts.Parser, Write, Read),
        WireCodec.Of<ReceiptsSealed, Form.ReceiptsSealed>("rl", Small, Form.ReceiptsSealed.Parser, Write, Read),
        WireCodec.Of<FetchKept, Form.FetchKept>("fk", Small, Form.FetchKept.Parser, Write, Read),
        new WireCodec(typeof(KeptRows), "kr", HiddenFraming.MostBytes, (message, _) => Write((KeptRows)message), (bytes, _) => ReadKept(bytes)),
        WireCodec.Of<FetchCache, Form.FetchCache>("fc", Small, Form.FetchCache.Parser, Write, Read),
        new WireCodec(typeof(CacheOpened), "co", HiddenFraming.MostBytes, (message, _) => Write((CacheOpened)message), (bytes, _) => ReadOpened(bytes)),
        new WireCodec(typeof(FeedCache), "fv", HiddenFraming.MostBytes, (message, _) => Write((FeedCache)message), (bytes, _) => ReadFed(bytes)),
        WireCodec.Of<UnitRecomputed, Form.UnitRecomputed>("ur", Small, Form.UnitRecomputed.Parser, Write, Read),
    ];

    /// <summary>An order's form.</summary>
    public static Form.AuditOrder Write(AuditOrder order)
    {
        var form = new Form.AuditOrder { Key = Values.Write(order.Key), DrawFrom = order.DrawFrom };
        foreach (var (first, end) in order.Refed.AsSpan())
        {
            form.Refed.Add(new Form.Range { First = first, End = end });
        }

        return form;
    }

    /// <summary>The order of a form.</summary>
    public static AuditOrder Read(Form.AuditOrder form)
    {
        Require.Count(form.Refed.Count, ProtocolLimits.RefedSpans, "refed");
        var (refed, last) = (new Refed[form.Refed.Count], 0);
        for (var i = 0; i < refed.Length; i++)
        {
            var first = Require.Within(form.Refed[i].First, last, ProtocolLimits.SessionTokens, "refed");
            last = Require.Within(form.Refed[i].End, first + 1, ProtocolLimits.SessionTokens, "refed");
            refed[i] = new Refed(first, last);
        }

        return new AuditOrder(Values.Digest(form.Key, "key"), Values.Position(form.DrawFrom, "draw_from"), ImmutableCollectionsMarshal.AsImmutableArray(refed));
    }

    private static Form.UnitSigned Write(UnitSigned message, ActorPaths _) => new()
    {
        Session = Values.Write(message.Session),
        Epoch = message.Epoch,
        HopIndex = message.HopIndex,
        Position = message.Position,
        Rows = message.Rows,
        InRoot = Values.Write(message.InRoot),
        OutRoot = Values.Write(message.OutRoot),
        KvRoot = Values.Write(message.KvRoot),
        Signature = ByteString.CopyFrom(message.Signature.AsSpan()),
    };

    private static UnitSigned Read(Form.UnitSigned form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        return form.Signature.Length == DeviceKey.SignatureBytes
            ? new UnitSigned(
                Values.Session(form.Session),
                Values.Epoch(form.Epoch),
                Values.HopIndex(form.HopIndex),
                position,
                Require.Within(form.Rows, 1, Math.Min(UnitCut.Rows, ProtocolLimits.SessionTokens - position), "rows"),
                Values.Digest(form.InRoot, "in_root"),
                Values.Digest(form.OutRoot, "out_root"),
                Values.Digest(form.KvRoot, "kv_root"),
                [.. form.Signature.Span])
            : throw new MalformedMessageException($"signature has {form.Signature.Length} bytes; it must have {DeviceKey.SignatureBytes}.");
    }

    private static Form.SealReceipts Write(SealReceipts message, ActorPaths _) => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, Length = message.Length };

    private static SealReceipts Read(Form.SealReceipts form, ActorPaths _) => new(Values.Session(form.Session), Values.Epoch(form.Epoch), Values.Position(form.Length, "length"));

    private static Form.ReceiptsSealed Write(ReceiptsSealed message, ActorPaths _)
        => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, HopIndex = message.HopIndex, Length = message.Length };

    private static ReceiptsSealed Read(Form.ReceiptsSealed form, ActorPaths _)
        => new(Values.Session(form.Session), Values.Epoch(form.Epoch), Values.HopIndex(form.HopIndex), Values.Position(form.Length, "length"));

    private static Form.FetchKept Write(FetchKept message, ActorPaths _)
        => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, Position = message.Position, Rows = message.Rows, Taken = message.Taken };

    private static FetchKept Read(Form.FetchKept form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        return new FetchKept(
            Values.Session(form.Session),
            Values.Epoch(form.Epoch),
            position,
            Require.Within(form.Rows, 1, Math.Min(HiddenFraming.MostRows, ProtocolLimits.SessionTokens - position), "rows"),
            form.Taken);
    }

    private static byte[] Write(KeptRows message) => HiddenFraming.Join(
        new Form.KeptRowsHeader
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            HopIndex = message.HopIndex,
            Position = message.Position,
            Rows = message.Rows,
            Taken = message.Taken,
            Signature = ByteString.CopyFrom(message.Signature.AsSpan()),
        },
        message.Hidden.Span);

    private static KeptRows ReadKept(byte[] bytes)
    {
        var header = HiddenFraming.Split(bytes, KeptRowsParser, out var payload);
        var position = Values.Position(header.Position);
        var (session, epoch, hop) = (Values.Session(header.Session), Values.Epoch(header.Epoch), Values.HopIndex(header.HopIndex));
        var signature = SignatureOrNone(header.Signature);
        if (header.Rows == 0)
        {
            return payload.IsEmpty
                ? new KeptRows(session, epoch, hop, position, 0, default, header.Taken)
                : throw new MalformedMessageException($"{payload.Length} bytes of activations are not 0 rows.");
        }

        Require.Within(header.Rows, 1, Math.Min(HiddenFraming.MostRows, ProtocolLimits.SessionTokens - position), "rows");
        return new KeptRows(session, epoch, hop, position, header.Rows, HiddenFraming.Rows<float>(payload, header.Rows), header.Taken, signature);
    }

    private static Form.FetchCache Write(FetchCache message, ActorPaths _)
        => new() { Session = Values.Write(message.Session), Epoch = message.Epoch, Position = message.Position, Offset = message.Offset, Rows = message.Rows };

    private static FetchCache Read(Form.FetchCache form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        return new FetchCache(
            Values.Session(form.Session),
            Values.Epoch(form.Epoch),
            position,
            Require.Within(form.Offset, 0, ProtocolLimits.CacheValues - 1, "offset"),
            Require.Within(form.Rows, 1, Math.Min(HiddenFraming.MostRows, ProtocolLimits.SessionTokens - position), "rows"));
    }

    private static byte[] Write(CacheOpened message) => HiddenFraming.Join(
        new Form.CacheOpenedHeader
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            HopIndex = message.HopIndex,
            Position = message.Position,
            Offset = message.Offset,
            Rows = message.Rows,
            Width = message.Width,
        },
        message.Values.Span);

    private static CacheOpened ReadOpened(byte[] bytes)
    {
        var header = HiddenFraming.Split(bytes, CacheOpenedParser, out var payload);
        var (session, epoch, hop) = (Values.Session(header.Session), Values.Epoch(header.Epoch), Values.HopIndex(header.HopIndex));
        var (position, offset) = (Values.Position(header.Position), Require.Within(header.Offset, 0, ProtocolLimits.CacheValues - 1, "offset"));
        var width = Require.Within(header.Width, 0, ProtocolLimits.CacheValues, "width");
        if (header.Rows == 0)
        {
            return payload.IsEmpty
                ? new CacheOpened(session, epoch, hop, position, offset, 0, width, default)
                : throw new MalformedMessageException($"{payload.Length} bytes of keys and values are not 0 rows.");
        }

        Require.Within(header.Rows, 1, Math.Min(HiddenFraming.MostRows, ProtocolLimits.SessionTokens - position), "rows");
        return new CacheOpened(session, epoch, hop, position, offset, header.Rows, width, HiddenFraming.Rows<Half>(payload, header.Rows));
    }

    private static byte[] Write(FeedCache message) => HiddenFraming.Join(
        new Form.FeedCacheHeader
        {
            Session = Values.Write(message.Session),
            Epoch = message.Epoch,
            Position = message.Position,
            Offset = message.Offset,
            Rows = message.Rows,
        },
        message.Values.Span);

    /// <summary>Where nothing is kept of positions there may be any number of them.</summary>
    private static FeedCache ReadFed(byte[] bytes)
    {
        var header = HiddenFraming.Split(bytes, FeedCacheParser, out var payload);
        var (session, epoch) = (Values.Session(header.Session), Values.Epoch(header.Epoch));
        var (position, offset) = (Values.Position(header.Position), Require.Within(header.Offset, 0, ProtocolLimits.CacheValues - 1, "offset"));
        var most = ProtocolLimits.SessionTokens - position;
        var rows = Require.Within(header.Rows, 1, payload.IsEmpty ? most : Math.Min(HiddenFraming.MostRows, most), "rows");
        return new FeedCache(session, epoch, position, offset, rows, payload.IsEmpty ? default(ReadOnlyMemory<Half>) : HiddenFraming.Rows<Half>(payload, rows));
    }

    private static Form.UnitRecomputed Write(UnitRecomputed message, ActorPaths _) => new()
    {
        Session = Values.Write(message.Session),
        Epoch = message.Epoch,
        HopIndex = message.HopIndex,
        Position = message.Position,
        Rows = message.Rows,
        Answer = Values.Write(message.Answer),
        Microseconds = message.Microseconds,
        GivenRoot = Values.Write(message.GivenRoot),
        Signature = ByteString.CopyFrom(message.Signature.AsSpan()),
    };

    private static UnitRecomputed Read(Form.UnitRecomputed form, ActorPaths _)
    {
        var position = Values.Position(form.Position);
        return new UnitRecomputed(
            Values.Session(form.Session),
            Values.Epoch(form.Epoch),
            Values.HopIndex(form.HopIndex),
            position,
            Require.Within(form.Rows, 1, Math.Min(UnitCut.Rows, ProtocolLimits.SessionTokens - position), "rows"),
            Values.Digest(form.Answer, "answer"),
            Values.Digest(form.GivenRoot, "given_root"),
            Require.Within(form.Microseconds, 0, int.MaxValue, "microseconds"),
            SignatureOrNone(form.Signature));
    }

    private static ImmutableArray<byte> SignatureOrNone(ByteString form) => form.Length is 0 or DeviceKey.SignatureBytes
        ? [.. form.Span]
        : throw new MalformedMessageException($"signature has {form.Length} bytes; it must have {DeviceKey.SignatureBytes}, or none.");
}
