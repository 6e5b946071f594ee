using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using EFedLLM.Actors.Protocol.Wire.Forms;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Values that several messages share, to their forms and back.</summary>
internal static class Values
{
    /// <summary>A device id's form.</summary>
    public static Id128 Write(DeviceId id) => Halves(Convert.FromHexString(id.Value));

    /// <summary>A session id's form.</summary>
    public static Id128 Write(SessionId id) => Write(id.Value);

    /// <summary>A UUID's form.</summary>
    public static Id128 Write(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return Halves(bytes);
    }

    /// <summary>A model id's form.</summary>
    public static Id256 Write(ModelId id)
    {
        var bytes = Convert.FromHexString(id.Value);
        return new Id256
        {
            Word0 = BinaryPrimitives.ReadUInt64BigEndian(bytes),
            Word1 = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(8)),
            Word2 = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(16)),
            Word3 = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(24)),
        };
    }

    /// <summary>A digest's form, 32 bytes.</summary>
    public static ByteString Write(Trust.Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Trust.Digest.Bytes];
        digest.Write(bytes);
        return ByteString.CopyFrom(bytes);
    }

    /// <summary>The form of names of pages, 16 bytes each.</summary>
    public static ByteString Write(ImmutableArray<PageKey> keys)
    {
        if (keys.IsDefaultOrEmpty)
        {
            return ByteString.Empty;
        }

        var bytes = new byte[keys.Length * PageKey.Bytes];
        foreach (var (page, key) in keys.Index())
        {
            key.Write(bytes.AsSpan(page * PageKey.Bytes));
        }

        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    /// <summary>A cluster's form, 32 bytes.</summary>
    public static ByteString Write(ClusterId cluster) => Write(cluster.Value);

    /// <summary>A verdict id's form: its digits as a number.</summary>
    public static ulong Write(VerdictId id) => ulong.Parse(id.Value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>A range's form.</summary>
    public static Form.Range Write(LayerRange range) => new() { First = range.First, End = range.End };

    /// <summary>A draw's form.</summary>
    public static Form.TokenChoice Write(Transformer.Sampling.TokenChoice choice)
    {
        var form = new Form.TokenChoice { Id = choice.Id, Logprob = choice.Logprob };
        foreach (var top in choice.Top.AsSpan())
        {
            form.Top.Add(new Form.TokenLogprob { Id = top.Id, Logprob = top.Logprob });
        }

        return form;
    }

    /// <summary>Appends draws to <paramref name="field"/>.</summary>
    public static void Write(RepeatedField<Form.TokenChoice> field, ImmutableArray<Transformer.Sampling.TokenChoice> choices)
    {
        foreach (var choice in choices.AsSpan())
        {
            field.Add(Write(choice));
        }
    }

    /// <summary>Sampling settings' form.</summary>
    public static Form.Sampling Write(SamplingSettings settings) => new()
    {
        Temperature = settings.Temperature,
        TopP = settings.TopP,
        TopK = settings.TopK,
        Seed = settings.Seed,
        TopLogprobs = settings.TopLogprobs,
    };

    /// <summary>A text for people, cut to what receivers accept: a long reason must not cost the message that carries it.</summary>
    public static string Clip(string text) => Clip(text, ProtocolLimits.TextCharacters);

    /// <summary>A text for people, cut to <paramref name="most"/> characters.</summary>
    public static string Clip(string text, int most) => text.Length <= most ? text : string.Concat(text.AsSpan(0, most - 3), "...");

    /// <summary>Appends <paramref name="values"/> to <paramref name="field"/>.</summary>
    public static void Write<T>(RepeatedField<T> field, ImmutableArray<T> values)
    {
        field.Capacity = values.Length;
        foreach (var value in values.AsSpan())
        {
            field.Add(value);
        }
    }

    /// <summary>Appends what an encoder gave to <paramref name="field"/>.</summary>
    public static void Write(RepeatedField<float> field, ReadOnlyMemory<float> values)
    {
        field.Capacity = values.Length;
        foreach (var value in values.Span)
        {
            field.Add(value);
        }
    }

    /// <summary>What an encoder gave: finite values, at least one.</summary>
    public static ReadOnlyMemory<float> Encoded(RepeatedField<float> field)
    {
        Require.Within(field.Count, 1, ProtocolLimits.EncodedValues, "number of values");
        var values = new float[field.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Require.Finite(field[i], "values");
        }

        return values;
    }

    /// <summary>A device id.</summary>
    public static DeviceId Device(Id128? form, string field)
    {
        var id = Require.Present(form, field);
        return new DeviceId($"{id.High:x16}{id.Low:x16}");
    }

    /// <summary>A UUID.</summary>
    public static Guid Uuid(Id128? form, string field)
    {
        var id = Require.Present(form, field);
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id.High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], id.Low);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>A verdict id.</summary>
    public static VerdictId Verdict(ulong value) => value >> (4 * VerdictId.Digits) == 0
        ? new VerdictId(value.ToString($"x{VerdictId.Digits}", CultureInfo.InvariantCulture))
        : throw new MalformedMessageException($"verdict has more than {VerdictId.Digits} digits.");

    /// <summary>A session id.</summary>
    public static SessionId Session(Id128? form) => new(Uuid(form, "session"));

    /// <summary>A model id.</summary>
    public static ModelId Model(Id256? form, string field = "model")
    {
        var id = Require.Present(form, field);
        return new ModelId($"{id.Word0:x16}{id.Word1:x16}{id.Word2:x16}{id.Word3:x16}");
    }

    /// <summary>A digest.</summary>
    public static Trust.Digest Digest(ByteString form, string field) => form.Length == Trust.Digest.Bytes
        ? Trust.Digest.Read(form.Span)
        : throw new MalformedMessageException($"{field} has {form.Length} bytes; a digest has {Trust.Digest.Bytes}.");

    /// <summary>Names of pages.</summary>
    public static ImmutableArray<PageKey> PageKeys(ByteString form, string field)
    {
        Require.Count(form.Length / PageKey.Bytes, ProtocolLimits.PrefixPages, field);
        if (form.Length % PageKey.Bytes != 0)
        {
            throw new MalformedMessageException($"{field} has {form.Length} bytes; the name of a page has {PageKey.Bytes}.");
        }

        var keys = new PageKey[form.Length / PageKey.Bytes];
        for (var page = 0; page < keys.Length; page++)
        {
            keys[page] = PageKey.Read(form.Span[(page * PageKey.Bytes)..]);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(keys);
    }

    /// <summary>A cluster.</summary>
    public static ClusterId Cluster(ByteString form) => new(Digest(form, "cluster"));

    /// <summary>A range that is not empty and lies within <see cref="ProtocolLimits.Units"/>.</summary>
    public static LayerRange Range(Form.Range? form, string field = "range")
    {
        var range = Require.Present(form, field);
        return range.First >= 0 && range.First < range.End && range.End <= ProtocolLimits.Units
            ? new LayerRange(range.First, range.End)
            : throw new MalformedMessageException($"{field} [{range.First}, {range.End}) is no part of a model of at most {ProtocolLimits.Units} units.");
    }

    /// <summary>An epoch.</summary>
    public static int Epoch(int value) => Require.Within(value, 1, int.MaxValue, "epoch");

    /// <summary>A position in a session.</summary>
    public static int Position(int value, string field = "position") => Require.Within(value, 0, ProtocolLimits.SessionTokens, field);

    /// <summary>A hop's place in its route.</summary>
    public static int HopIndex(int value) => Require.Within(value, 0, ProtocolLimits.Hops - 1, "hop_index");

    /// <summary>A token id.</summary>
    public static int Token(int value) => Require.Within(value, 0, int.MaxValue, "token");

    /// <summary>Token ids.</summary>
    public static ImmutableArray<int> Tokens(RepeatedField<int> field, int most, string name)
    {
        Require.Count(field.Count, most, name);
        return NotNegative(field, name);
    }

    /// <summary>Compute times of hops.</summary>
    public static ImmutableArray<int> HopMicroseconds(RepeatedField<int> field)
    {
        Require.Count(field.Count, ProtocolLimits.Hops, "hop_microseconds");
        return NotNegative(field, "hop_microseconds");
    }

    /// <summary>A draw.</summary>
    public static Transformer.Sampling.TokenChoice Choice(Form.TokenChoice? form)
    {
        var choice = Require.Present(form, "choice");
        Require.Count(choice.Top.Count, ProtocolLimits.TopLogprobs, "top");
        return new Transformer.Sampling.TokenChoice(
            Token(choice.Id),
            Require.Finite(choice.Logprob, "logprob"),
            [.. choice.Top.Select(top => new Transformer.Sampling.TokenLogprob(Token(top.Id), Require.Finite(top.Logprob, "logprob")))]);
    }

    /// <summary>Draws.</summary>
    public static ImmutableArray<Transformer.Sampling.TokenChoice> Choices(RepeatedField<Form.TokenChoice> field, int most, string name)
    {
        Require.Count(field.Count, most, name);
        return [.. field.Select(Choice)];
    }

    /// <summary>Sampling settings whose numbers are finite; whether they are in range is for the caller.</summary>
    public static SamplingSettings AnySampling(Form.Sampling? form)
    {
        var sampling = Require.Present(form, "sampling");
        return new SamplingSettings
        {
            Temperature = Require.Finite(sampling.Temperature, "temperature"),
            TopP = Require.Finite(sampling.TopP, "top_p"),
            TopK = sampling.TopK,
            Seed = sampling.Seed,
            TopLogprobs = sampling.TopLogprobs,
        };
    }

    /// <summary>Sampling settings a sampler can carry out.</summary>
    public static SamplingSettings Sampling(Form.Sampling? form)
    {
        var settings = AnySampling(form);
        if (settings.Temperature is < 0 or > 2 || settings.TopP is <= 0 or > 1)
        {
            throw new MalformedMessageException($"temperature is {settings.Temperature} and top_p {settings.TopP}; they must be 0 to 2, and above 0 up to 1.");
        }

        Require.Within(settings.TopK, 0, int.MaxValue, "top_k");
        Require.Within(settings.TopLogprobs, 0, ProtocolLimits.TopLogprobs, "top_logprobs");
        return settings;
    }

    /// <summary>A moment; its offset from UTC is not carried.</summary>
    public static DateTimeOffset Moment(long ticks, string field)
        => ticks >= 0 && ticks <= DateTimeOffset.MaxValue.UtcTicks
            ? new DateTimeOffset(ticks, TimeSpan.Zero)
            : throw new MalformedMessageException($"{field} is no moment.");

    private static ImmutableArray<int> NotNegative(RepeatedField<int> field, string name)
    {
        var values = new int[field.Count];
        field.CopyTo(values, 0);
        return values.AsSpan().ContainsAnyExceptInRange(0, int.MaxValue)
            ? throw new MalformedMessageException($"{name} has a negative entry.")
            : ImmutableCollectionsMarshal.AsImmutableArray(values);
    }

    private static Id128 Halves(ReadOnlySpan<byte> bytes) => new()
    {
        High = BinaryPrimitives.ReadUInt64BigEndian(bytes),
        Low = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
    };
}
