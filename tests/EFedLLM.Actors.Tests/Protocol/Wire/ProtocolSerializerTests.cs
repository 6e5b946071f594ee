using System.Runtime.InteropServices;
using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Protocol.Wire;

public sealed class ProtocolSerializerTests(WireFixture fixture, ITestOutputHelper output) : IClassFixture<WireFixture>
{
    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void Every_message_comes_back_as_it_was(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        fixture.Samples.Of(type).Sample(
            message =>
            {
                var bytes = fixture.Serializer.ToBinary(message);
                var back = fixture.Serializer.FromBinary(bytes, fixture.Serializer.Manifest(message));
                Assert.IsType(type, back);
                return Equals(message, back);
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void Manifests_are_short_and_none_names_two_types()
    {
        var manifests = Messages().Select(type => fixture.Serializer.Manifest(fixture.Samples.One(type, 1))).ToArray();
        Assert.All(manifests, manifest => Assert.Equal(2, manifest.Length));
        Assert.Equal(manifests.Length, manifests.Distinct().Count());
    }

    [Fact]
    public void The_manifests_and_the_identifier_of_released_messages_never_change()
    {
        var manifests = Messages().ToDictionary(type => type.Name, type => fixture.Serializer.Manifest(fixture.Samples.One(type, 1)));
        Assert.Equal(2411, fixture.Serializer.Identifier);
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["AccountRefused"] = "ax",
                ["CacheOpened"] = "co",
                ["CancelGeneration"] = "cg",
                ["CloseSession"] = "cs",
                ["ComputeGolden"] = "gq",
                ["DeviceAnnouncement"] = "da",
                ["DeviceRecord"] = "dr",
                ["DeviceStanding"] = "ds",
                ["FeedCache"] = "fv",
                ["FeedHidden"] = "fh",
                ["FeedTokens"] = "ft",
                ["FetchCache"] = "fc",
                ["FetchKept"] = "fk",
                ["GenerationFailed"] = "gx",
                ["GenerationFinished"] = "gf",
                ["GenerationStarted"] = "gs",
                ["GetDeviceRecord"] = "gr",
                ["GoldenComputed"] = "ga",
                ["HiddenReceived"] = "hr",
                ["HopSigned"] = "hs",
                ["KeptRows"] = "kr",
                ["LeaveAnswer"] = "la",
                ["LeaveCluster"] = "lc",
                ["LedgerDevices"] = "ld",
                ["ListLedgerDevices"] = "ll",
                ["OpenSession"] = "os",
                ["PlacementPlan"] = "pp",
                ["Prompt"] = "pr",
                ["ReceiptsSealed"] = "rl",
                ["RecordWork"] = "rw",
                ["ResumeSession"] = "rs",
                ["RowsComputed"] = "rc",
                ["SealReceipts"] = "sl",
                ["SequenceEncoded"] = "se",
                ["ServedModel"] = "sm",
                ["SessionMoving"] = "sv",
                ["SignedRevocation"] = "rv",
                ["SessionOpened"] = "so",
                ["SessionRefused"] = "sr",
                ["StepFailed"] = "sf",
                ["StrikeAnswer"] = "sa",
                ["StrikeVerdict"] = "st",
                ["StepRejected"] = "sj",
                ["PromptScored"] = "ps",
                ["TextEncoded"] = "te",
                ["TokenGenerated"] = "tg",
                ["TokenSampled"] = "ts",
                ["UnitRecomputed"] = "ur",
                ["UnitSigned"] = "us",
                ["WorkRecorded"] = "wr",
            },
            manifests);
    }

    [Fact]
    public void No_type_name_is_on_the_wire()
    {
        foreach (var type in Messages())
        {
            var bytes = fixture.Serializer.ToBinary(fixture.Samples.One(type, 7));
            Assert.Equal(-1, bytes.AsSpan().IndexOf("EFedLLM"u8));
            Assert.Equal(-1, bytes.AsSpan().IndexOf("System."u8));
        }
    }

    [Fact]
    public void An_activation_of_any_bit_pattern_comes_back_bit_for_bit()
    {
        Gen.UInt.Array[1, 64].Sample(
            bits =>
            {
                var message = new FeedHidden(SessionId.New(), 1, 0, 1, false, MemoryMarshal.Cast<uint, float>(bits).ToArray(), []);
                var back = (FeedHidden)fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(message), "fh");
                return MemoryMarshal.Cast<float, uint>(back.Hidden.Span).SequenceEqual(bits);
            },
            iter: 500,
            threads: 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Activations_are_little_endian_on_either_kind_of_machine(bool littleEndianHost)
    {
        // The bytes of 1.0f are 00 00 80 3F in little-endian order. A machine of the other kind keeps them reversed in memory.
        var inMemory = BitConverter.UInt32BitsToSingle(littleEndianHost == BitConverter.IsLittleEndian ? 0x3F800000u : 0x0000803Fu);
        var bytes = new byte[4];
        HiddenFraming.CopyToLittleEndian([inMemory], bytes, littleEndianHost);
        Assert.Equal([0x00, 0x00, 0x80, 0x3F], bytes);

        var values = new float[1];
        HiddenFraming.CopyFromLittleEndian(bytes, values, littleEndianHost);
        Assert.Equal(BitConverter.SingleToUInt32Bits(inMemory), BitConverter.SingleToUInt32Bits(values[0]));

        // Those of two keys or values, 1 and 1.0009766, are 00 3C 01 3C.
        Half[] kept = [BitConverter.UInt16BitsToHalf(littleEndianHost == BitConverter.IsLittleEndian ? (ushort)0x3C00 : (ushort)0x003C), BitConverter.UInt16BitsToHalf(littleEndianHost == BitConverter.IsLittleEndian ? (ushort)0x3C01 : (ushort)0x013C)];
        HiddenFraming.CopyToLittleEndian<Half>(kept, bytes, littleEndianHost);
        Assert.Equal([0x00, 0x3C, 0x01, 0x3C], bytes);

        var back = new Half[2];
        HiddenFraming.CopyFromLittleEndian<Half>(bytes, back, littleEndianHost);
        Assert.Equal(kept, back);
    }

    [Fact]
    public void Keys_and_values_travel_in_two_bytes_each()
    {
        var opened = new CacheOpened(SessionId.New(), 1, 2, 16, 0, 16, 1536, new Half[16 * 1536]);
        var bytes = fixture.Serializer.ToBinary(opened);
        Assert.InRange(bytes.Length, 2 * 16 * 1536, (2 * 16 * 1536) + 64);
        Assert.Equal(opened, fixture.Serializer.FromBinary(bytes, "co"));
    }

    [Theory]
    [InlineData(1, ProtocolLimits.RowBytes / 4)]
    [InlineData(3, 4096)]
    [InlineData(12288, 1)]
    public void Activations_up_to_the_limit_travel(int rows, int hidden)
    {
        var message = new FeedHidden(SessionId.New(), 1, 0, rows, true, new float[rows * hidden], [1, 2, 3]);
        var bytes = fixture.Serializer.ToBinary(message);
        Assert.InRange(bytes.Length, rows * hidden * 4, (rows * hidden * 4) + 64);
        Assert.Equal(message, fixture.Serializer.FromBinary(bytes, "fh"));
    }

    [Fact]
    public void Sending_activations_costs_one_array_and_receiving_them_one_more()
    {
        var message = new FeedHidden(SessionId.New(), 1, 0, 3, true, new float[3 * 4096], [1, 2, 3]);
        var bytes = fixture.Serializer.ToBinary(message);
        fixture.Serializer.FromBinary(bytes, "fh");

        var before = GC.GetAllocatedBytesForCurrentThread();
        bytes = fixture.Serializer.ToBinary(message);
        var sent = GC.GetAllocatedBytesForCurrentThread();
        fixture.Serializer.FromBinary(bytes, "fh");
        var received = GC.GetAllocatedBytesForCurrentThread();
        Assert.InRange(sent - before, 3 * 4096 * 4, (3 * 4096 * 4) + 2048);
        Assert.InRange(received - sent, 3 * 4096 * 4, (3 * 4096 * 4) + 2048);
    }

    [Fact]
    public void A_reason_that_is_too_long_is_cut_rather_than_lost()
    {
        var message = new StepFailed(SessionId.New(), 1, 0, new string('x', ProtocolLimits.TextCharacters + 1));
        var back = (StepFailed)fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(message), "sf");
        Assert.Equal(ProtocolLimits.TextCharacters, back.Message.Length);
        Assert.EndsWith("x...", back.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_receipt_of_a_full_unit_and_its_signature_take_at_most_14_bytes_a_position()
    {
        // In the last unit of the longest session, on a route of the most hops that was repaired often.
        var sample = (UnitSigned)fixture.Samples.One(typeof(UnitSigned), 1);
        var usual = sample with { Epoch = 2, HopIndex = 3, Position = 4000, Rows = UnitCut.Rows };
        var longest = sample with { Epoch = 16_000, HopIndex = ProtocolLimits.Hops - 1, Position = ProtocolLimits.SessionTokens - UnitCut.Rows, Rows = UnitCut.Rows };
        foreach (var message in (UnitSigned[])[usual, longest])
        {
            var bytes = fixture.Serializer.ToBinary(message).Length;
            output.WriteLine($"{bytes} bytes: {bytes / (double)UnitCut.Rows:0.00} for each position and hop.");
            Assert.InRange(bytes, 1, 14 * UnitCut.Rows);
        }
    }

    [Fact]
    public void What_a_receipt_says_and_its_message_does_not_is_signed_all_the_same()
    {
        using var key = DeviceKey.Create();
        var sample = ((UnitSigned)fixture.Samples.One(typeof(UnitSigned), 1)) with { Rows = 16 };
        var (cluster, model, range) = (ClusterId.Parse(new string('c', 64)), new ModelId(new string('a', 64)), new LayerRange(2, 5));
        var receipt = sample.ReceiptOf(cluster, key.Device, model, range, default).Receipt;
        var sent = UnitSigned.Of(new SignedReceipt(receipt, [.. key.Sign(receipt.ToStatement())]));
        var message = (UnitSigned)fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(sent), "us");
        Assert.True(Holds(message.ReceiptOf(cluster, key.Device, model, range, default)));
        Assert.False(Holds(message.ReceiptOf(cluster, new DeviceId(new string('b', 32)), model, range, default)));
        Assert.False(Holds(message.ReceiptOf(cluster, key.Device, new ModelId(new string('b', 64)), range, default)));
        Assert.False(Holds(message.ReceiptOf(cluster, key.Device, model, new LayerRange(2, 6), default)));
        Assert.False(Holds(message.ReceiptOf(cluster, key.Device, model, range, receipt.OutRoot)));
        Assert.False(Holds((message with { KvRoot = message.OutRoot }).ReceiptOf(cluster, key.Device, model, range, default)));
        Assert.False(Holds((message with { Session = SessionId.New() }).ReceiptOf(cluster, key.Device, model, range, default)));
        Assert.False(Holds((message with { Epoch = message.Epoch + 1 }).ReceiptOf(cluster, key.Device, model, range, default)));
        Assert.False(Holds(message.ReceiptOf(ClusterId.WithoutTls("efedllm"), key.Device, model, range, default)));

        bool Holds(SignedReceipt signed) => DeviceKey.Verify(key.PublicKey.Span, signed.Receipt.ToStatement(), signed.Signature.AsSpan());
    }

    [Fact]
    public void A_prompt_with_two_inputs_or_none_cannot_be_sent()
    {
        foreach (var input in new[] { new PromptInput(), new PromptInput(Text: "a", Tokens: [1]) })
        {
            Assert.Throws<ArgumentException>(() => fixture.Serializer.ToBinary(new Prompt(PromptId.New(), input, new())));
        }
    }

    [Fact]
    public void An_object_without_a_form_is_refused_by_name()
    {
        var error = Assert.Throws<ArgumentException>(() => fixture.Serializer.ToBinary("text"));
        Assert.Contains("System.String", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_actor_reference_resolves_to_the_same_actor()
    {
        var actor = fixture.System.ActorOf(Props.Empty);
        var message = new DeviceAnnouncement(
            new DeviceId(new string('a', 32)), "name", new Address("akka.tcp", "s", "h", 1), actor, 1, 1, [], [], false, 1);
        var back = (DeviceAnnouncement)fixture.Serializer.FromBinary(fixture.Serializer.ToBinary(message), "da");
        Assert.Same(actor, back.Host);

        // As from a device of before there were owners.
        Assert.Null(back.Owner);
        Assert.True(back.Certificate.IsEmpty);
    }

    private static IEnumerable<Type> Messages() => WireFixture.Messages();
}
