using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using Google.Protobuf;
using Xunit.Abstractions;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Tests.Protocol.Wire;

public sealed class MalformedMessageTests(WireFixture fixture, ITestOutputHelper output) : IClassFixture<WireFixture>
{
    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void Bytes_cut_off_anywhere_are_a_message_or_are_refused(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        for (uint seed = 1; seed <= 5; seed++)
        {
            var message = fixture.Samples.One(type, seed);
            var bytes = fixture.Serializer.ToBinary(message);
            for (var length = 0; length < bytes.Length; length++)
            {
                ReadOrRefuse(bytes[..length], fixture.Serializer.Manifest(message), $"{type.Name}, sample {seed}, {length} of {bytes.Length} bytes");
            }
        }
    }

    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void Bytes_with_random_damage_are_a_message_or_are_refused(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var message = fixture.Samples.One(type, (uint)(round % 20) + 1);
            var bytes = fixture.Serializer.ToBinary(message);
            for (var flips = random.Next(1, 9); flips > 0 && bytes.Length > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            }

            ReadOrRefuse(bytes, fixture.Serializer.Manifest(message), $"{type.Name}, seed {seed}, round {round}");
        }
    }

    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void Random_bytes_are_a_message_or_are_refused(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        var manifest = fixture.Serializer.Manifest(fixture.Samples.One(type, 1));
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var round = 0; round < 2000; round++)
        {
            var bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            ReadOrRefuse(bytes, manifest, $"{type.Name}, seed {seed}, round {round}");
        }
    }

    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void A_huge_claimed_length_allocates_nothing(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        var manifest = fixture.Serializer.Manifest(fixture.Samples.One(type, 1));
        for (var field = 1; field <= 12; field++)
        {
            foreach (var length in new ulong[] { 1 << 20, int.MaxValue, uint.MaxValue, long.MaxValue, ulong.MaxValue })
            {
                using var stream = new MemoryStream();
                using (var writer = new CodedOutputStream(stream, leaveOpen: true))
                {
                    writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
                    writer.WriteUInt64(length);
                    writer.WriteRawTag(1, 2, 3);
                }

                ReadOrRefuse(stream.ToArray(), manifest, $"{type.Name}, field {field}, length {length}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(WireFixture.MessageTypes), MemberType = typeof(WireFixture))]
    public void A_payload_longer_than_its_type_may_have_is_refused_unread(string typeName)
    {
        var type = WireFixture.TypeOf(typeName);
        var manifest = fixture.Serializer.Manifest(fixture.Samples.One(type, 1));
        var error = Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary(new byte[64 << 20], manifest));
        Assert.Contains(type.Name, error.Message, StringComparison.Ordinal);
        Assert.Contains("more than", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zz")]
    [InlineData("")]
    [InlineData("EFedLLM.Actors.Protocol.Prompt, EFedLLM.Actors")]
    public void An_unknown_manifest_is_refused(string manifest)
        => Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary([], manifest));

    [Fact]
    public void Every_senseless_field_is_refused_by_name()
    {
        Refused<ResumeSession, Form.ResumeSession>(form => form.Starts.Clear(), "number of starts");
        Refused<ResumeSession, Form.ResumeSession>(form => form.Starts[0] = form.Length + 1, "starts");
        Refused<ResumeSession, Form.ResumeSession>(form => form.Length = 0, "length");
        Refused<SessionOpened, Form.SessionOpened>(form => form.KvLength = -1, "kv_length");
        Refused<SessionOpened, Form.SessionOpened>(form => form.KeptFrom = form.KvLength + 1, "kept_from");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Session = null, "session");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Epoch = 0, "epoch");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Position = -1, "position");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Position = ProtocolLimits.SessionTokens, "number of tokens");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Tokens.Clear(), "number of tokens");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Tokens.Add(-1), "negative");
        Refused<FeedTokens, Form.FeedTokens>(form => form.Tokens.AddRange(new int[ProtocolLimits.TokensPerFeed]), "tokens");
        Refused<OpenSession, Form.OpenSession>(form => form.Hops.Clear(), "number of hops");
        Refused<OpenSession, Form.OpenSession>(form => form.Hops[0].Range.First = 1, "unit");
        Refused<OpenSession, Form.OpenSession>(form => form.Hops[^1].Range.End = form.Hops[^1].Range.First, "range");
        Refused<OpenSession, Form.OpenSession>(form => form.HopIndex = form.Hops.Count, "hop_index");
        Refused<OpenSession, Form.OpenSession>(form => form.TokenLimit = 0, "token_limit");
        Refused<OpenSession, Form.OpenSession>(form => form.Pipeline = "nonsense", "pipeline");
        Refused<OpenSession, Form.OpenSession>(form => form.Pipeline = "akka://s/" + new string('a', 2000), "pipeline");
        Refused<OpenSession, Form.OpenSession>(form => form.Sampling.Temperature = float.NaN, "temperature");
        Refused<OpenSession, Form.OpenSession>(form => form.Sampling.Temperature = 3, "temperature");
        Refused<OpenSession, Form.OpenSession>(form => form.Sampling.TopP = 0, "top_p");
        Refused<OpenSession, Form.OpenSession>(form => form.Sampling.TopLogprobs = 21, "top_logprobs");
        Refused<OpenSession, Form.OpenSession>(form => form.Audit = new Form.AuditOrder { Key = ByteString.CopyFrom(new byte[31]) }, "key");
        Refused<OpenSession, Form.OpenSession>(form => form.Audit = new Form.AuditOrder { Key = ByteString.CopyFrom(new byte[32]), DrawFrom = -1 }, "draw_from");
        Refused<OpenSession, Form.OpenSession>(form => form.Prefix = ByteString.CopyFrom(new byte[PageKey.Bytes + 1]), "prefix");
        Refused<OpenSession, Form.OpenSession>(form => form.Prefix = ByteString.CopyFrom(new byte[PageKey.Bytes * (ProtocolLimits.PrefixPages + 1)]), "prefix");
        Refused<CloseSession, Form.CloseSession>(form => form.Pages = ByteString.CopyFrom(new byte[PageKey.Bytes - 1]), "pages");
        Refused<CloseSession, Form.CloseSession>(form => form.Pages = ByteString.CopyFrom(new byte[PageKey.Bytes * (ProtocolLimits.PrefixPages + 1)]), "pages");
        Refused<Prompt, Form.Prompt>(form => form.Tenant = new string('a', ProtocolLimits.TenantCharacters + 1), "tenant");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.CachedTokens = form.Timing.PromptTokens + 1, "cached_tokens");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.CachedTokens = -1, "cached_tokens");
        foreach (var (first, end) in ((int, int)[])[(-1, 3), (3, 3), (4, 3), (5, ProtocolLimits.SessionTokens + 1), (int.MaxValue, int.MinValue)])
        {
            Refused<OpenSession, Form.OpenSession>(form => form.Audit = Order(new Form.Range { First = first, End = end }), "refed");
        }

        Refused<OpenSession, Form.OpenSession>(form => form.Audit = Order(new Form.Range { First = 4, End = 8 }, new Form.Range { First = 7, End = 9 }), "refed");
        Refused<OpenSession, Form.OpenSession>(
            form => form.Audit = Order([.. Enumerable.Range(0, ProtocolLimits.RefedSpans + 1).Select(i => new Form.Range { First = 2 * i, End = (2 * i) + 1 })]), "refed");
        Refused<UnitSigned, Form.UnitSigned>(form => form.Rows = 0, "rows");
        Refused<UnitSigned, Form.UnitSigned>(form => form.Rows = 17, "rows");
        Refused<UnitSigned, Form.UnitSigned>(form => form.HopIndex = ProtocolLimits.Hops, "hop_index");
        Refused<UnitSigned, Form.UnitSigned>(form => form.InRoot = ByteString.Empty, "in_root");
        Refused<UnitSigned, Form.UnitSigned>(form => form.OutRoot = ByteString.CopyFrom(new byte[33]), "out_root");
        Refused<UnitSigned, Form.UnitSigned>(form => form.KvRoot = ByteString.CopyFrom(new byte[31]), "kv_root");
        Refused<UnitSigned, Form.UnitSigned>(form => form.Position = -1, "position");
        Refused<UnitSigned, Form.UnitSigned>(form => form.Signature = ByteString.CopyFrom(new byte[63]), "signature");
        Refused<UnitSigned, Form.UnitSigned>(form => form.Signature = ByteString.CopyFrom(new byte[65]), "signature");
        Refused<ReceiptsSealed, Form.ReceiptsSealed>(form => form.Length = -1, "length");
        Refused<FetchKept, Form.FetchKept>(form => form.Rows = 0, "rows");
        Refused<FetchKept, Form.FetchKept>(form => form.Rows = (ProtocolLimits.ActivationBytes / 4) + 1, "rows");
        Refused<FetchKept, Form.FetchKept>(form => form.Position = ProtocolLimits.SessionTokens, "rows");
        Refused<FetchCache, Form.FetchCache>(form => form.Rows = 0, "rows");
        Refused<FetchCache, Form.FetchCache>(form => form.Rows = (ProtocolLimits.ActivationBytes / 4) + 1, "rows");
        Refused<FetchCache, Form.FetchCache>(form => form.Position = ProtocolLimits.SessionTokens, "rows");
        Refused<FetchCache, Form.FetchCache>(form => form.Offset = -1, "offset");
        Refused<FetchCache, Form.FetchCache>(form => form.Offset = ProtocolLimits.CacheValues, "offset");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.Rows = 17, "rows");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.Microseconds = -1, "microseconds");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.Answer = ByteString.CopyFrom(new byte[16]), "answer");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.GivenRoot = ByteString.Empty, "given_root");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.Signature = ByteString.CopyFrom(new byte[63]), "signature");
        Refused<UnitRecomputed, Form.UnitRecomputed>(form => form.Signature = ByteString.CopyFrom(new byte[65]), "signature");
        Refused<RowsComputed, Form.RowsComputed>(form => form.Rows = 0, "rows");
        Refused<RowsComputed, Form.RowsComputed>(form => form.HopMicroseconds.AddRange(new int[ProtocolLimits.Hops + 1]), "hop_microseconds");
        Refused<TokenSampled, Form.TokenSampled>(form => form.Choice = null, "choice");
        Refused<TokenSampled, Form.TokenSampled>(form => form.Further.AddRange(Enumerable.Repeat(form.Choice, ProtocolLimits.Drafts + 1)), "further");
        Refused<TokenSampled, Form.TokenSampled>(form => form.Further.Add(new Form.TokenChoice { Id = -1 }), "token");
        Refused<SealReceipts, Form.SealReceipts>(form => form.Length = -1, "length");
        Refused<TokenSampled, Form.TokenSampled>(form => form.Choice.Logprob = float.NegativeInfinity, "logprob");
        Refused<TokenSampled, Form.TokenSampled>(form => form.Choice.Id = -1, "token");
        Refused<SessionRefused, Form.SessionRefused>(form => form.Reason = 5, "reason");
        Refused<StepFailed, Form.StepFailed>(form => form.Message = new string('x', ProtocolLimits.TextCharacters + 1), "message");
        Refused<StepFailed, Form.StepFailed>(form => form.Refused = -1, "refused");
        Refused<StepFailed, Form.StepFailed>(form => form.Refused = ProtocolLimits.SessionTokens + 1, "refused");
        Refused<Prompt, Form.Prompt>(form => form.ClearInput(), "input");
        Refused<Prompt, Form.Prompt>(form => form.Drafts = ProtocolLimits.Drafts + 1, "drafts");
        Refused<Prompt, Form.Prompt>(form => form.Drafts = -1, "drafts");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.DraftedTokens = -1, "drafted_tokens");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.AcceptedTokens = form.Timing.DraftedTokens + 1, "accepted_tokens");
        Refused<Prompt, Form.Prompt>(form => form.Stop.AddRange(Enumerable.Repeat("x", ProtocolLimits.StopTexts + 1)), "stop");
        Refused<Prompt, Form.Prompt>(form => form.Text = new string('x', ProtocolLimits.PromptCharacters + 1), "text");
        Refused<Prompt, Form.Prompt>(form => form.Sampling.TopP = float.PositiveInfinity, "top_p");
        Refused<TokenGenerated, Form.TokenGenerated>(form => form.TransportMilliseconds = double.NaN, "transport_milliseconds");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Reason = 0, "reason");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.DecodeMilliseconds = double.NaN, "decode_milliseconds");
        Refused<GenerationFinished, Form.GenerationFinished>(form => form.Timing.HopComputeMilliseconds.Add(-1), "hop_compute_milliseconds");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.MemoryBytes = -1, "memory_bytes");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.BytesPerSecond = double.PositiveInfinity, "bytes_per_second");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Node.System = "a/b", "system");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => (form.Node.Host, form.Node.Port) = ("h", 70_000), "port");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => (form.Node.Host, form.Node.Port) = ("a b", 1), "host");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Blobs = new Form.BlobOffer { Port = 70_000 }, "port");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(
            form => form.Blobs = new Form.BlobOffer { Held = { Enumerable.Repeat(new Form.HeldFiles(), ProtocolLimits.AnnouncedRanges + 1) } }, "held");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(
            form => form.Blobs = new Form.BlobOffer { Held = { new Form.HeldFiles { Model = new Form.Id256(), Units = { new Form.Range { First = 2, End = 1 } } } } }, "range");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(
            form => form.Blobs = new Form.BlobOffer { Fetching = { new Form.FetchingRange { DoneBytes = 2, TotalBytes = 1 } } }, "done_bytes");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.PublicKey = ByteString.CopyFrom(new byte[31]), "public_key");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.PublicKey = ByteString.CopyFrom(new byte[32]), "public_key");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Owner = new string('a', OwnerName.MostCharacters + 1), "owner");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Owner = "anna ", "owner");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Owner = "an\u200bna", "owner");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(form => form.Certificate = ByteString.CopyFrom(new byte[CertificateRules.MostBytes + 1]), "certificate");
        Refused<DeviceAnnouncement, Form.DeviceAnnouncement>(
            form => form.Loaded.Add(new Form.LoadedRange { Model = new(), Range = new() { End = 1 }, Shard = form.Host, StreamedBytes = -1 }), "streamed_bytes");
        Refused<PlacementPlan, Form.PlacementPlan>(form => form.Assignments.Add(new Form.Assignment { Device = new(), Range = new() { End = 1 }, MemoryBytes = -1 }), "memory_bytes");
        Refused<ServedModel, Form.ServedModel>(form => form.UnitReadBytes.Add(1), "unit_read_bytes");
        Refused<ServedModel, Form.ServedModel>(form => form.HiddenSize = 0, "hidden_size");
        Refused<ServedModel, Form.ServedModel>(form => form.BitsPerWeight = -1, "bits_per_weight");
        Refused<ServedModel, Form.ServedModel>(form => form.Files = new Form.FilesOffer { Giver = new Form.Id128(), Port = 0 }, "port");
        Refused<PlacementPlan, Form.PlacementPlan>(form => form.Version = -1, "version");
        Refused<PlacementPlan, Form.PlacementPlan>(
            form =>
            {
                var twice = new Form.Assignment { Device = new(), Range = new() { End = 1 } };
                form.Assignments.AddRange([twice, twice]);
            },
            "two ranges");
        Refused<RecordWork, Form.RecordWork>(form => form.Outcome = 0, "outcome");
        Refused<RecordWork, Form.RecordWork>(form => form.Id.Sequence = 0, "sequence");
        Refused<RecordWork, Form.RecordWork>(form => form.At = long.MaxValue, "at");
        Refused<RecordWork, Form.RecordWork>(form => (form.Outcome, form.Check) = (5, null), "check is missing");
        Refused<RecordWork, Form.RecordWork>(form => (form.Outcome, form.Check) = (1, new Form.CheckFacts { Role = 1, Outcome = 1 }), "check stands beside");
        Refused<RecordWork, Form.RecordWork>(form => (form.Outcome, form.Check) = (5, new Form.CheckFacts { Role = 9, Outcome = 1 }), "role");
        Refused<RecordWork, Form.RecordWork>(form => (form.Outcome, form.Check) = (5, new Form.CheckFacts { Role = 1, Outcome = 9 }), "outcome of the check");
        Refused<RecordWork, Form.RecordWork>(form => (form.Outcome, form.Check) = (5, new Form.CheckFacts { Role = 1, Outcome = 1, Position = -1 }), "position");
        Refused<RecordWork, Form.RecordWork>(
            form => (form.Outcome, form.Check) = (5, new Form.CheckFacts { Role = 1, Outcome = 1, Reason = new string('x', ProtocolLimits.ReasonCharacters + 1) }), "reason");
        Refused<RecordWork, Form.RecordWork>(form => form.Size = new Form.WorkSize { Flop = double.NaN }, "flop");
        Refused<RecordWork, Form.RecordWork>(form => form.Size = new Form.WorkSize { TokenFlop = 1e25 }, "token_flop");
        Refused<RecordWork, Form.RecordWork>(form => form.Amount = -1, "amount");
        Refused<RecordWork, Form.RecordWork>(form => (form.PublicKey, form.Signature) = (ByteString.CopyFrom(new byte[31]), ByteString.CopyFrom(new byte[64])), "public_key");
        Refused<RecordWork, Form.RecordWork>(form => (form.PublicKey, form.Signature) = (ByteString.Empty, ByteString.CopyFrom(new byte[64])), "public_key");
        Refused<RecordWork, Form.RecordWork>(form => (form.PublicKey, form.Signature) = (ByteString.CopyFrom(new byte[32]), ByteString.CopyFrom(new byte[63])), "signature");
        Refused<RecordWork, Form.RecordWork>(form => (form.PublicKey, form.Signature) = (ByteString.CopyFrom(new byte[32]), ByteString.Empty), "signature");
        Refused<StrikeVerdict, Form.StrikeVerdict>(form => form.Verdict = 1UL << 40, "verdict");
        Refused<StrikeVerdict, Form.StrikeVerdict>(form => form.Reason = new string('x', ProtocolLimits.ReasonCharacters + 1), "reason");
        Refused<AccountRefused, Form.AccountRefused>(form => form.Device = null, "device");
        Refused<AccountRefused, Form.AccountRefused>(form => form.Problem = new string('x', ProtocolLimits.ReasonCharacters + 1), "problem");
        Refused<StrikeAnswer, Form.StrikeAnswer>(form => form.Result = 0, "result");
        Refused<StrikeAnswer, Form.StrikeAnswer>(form => form.Server = 9, "server");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Vested = -1, "vested");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Escrow = double.NaN, "escrow");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Unvested = -1, "unvested");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Slashed = -1, "slashed");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Server = new Form.RoleStanding { Bans = -1 }, "bans");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Server = new Form.RoleStanding { Exclusion = new Form.Exclusion { Until = -1 } }, "until");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Exclusion = new Form.Exclusion { ReturnScore = -1 }, "return_score");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.ServerTier = 6, "server_tier");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Server = new Form.RoleStanding { Hard = -1 }, "hard");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Server = 0, "server");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Preference = 1.1, "preference");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.NextReturn = -1, "next_return");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Verifier = 6, "verifier");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Score = -1, "score");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Revision = -1, "revision");
        Refused<DeviceStanding, Form.DeviceStanding>(form => form.Ledger = null, "ledger");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.Reward = double.NaN, "reward");
        Refused<DeviceRecord, Form.DeviceRecord>(form => form.TimeOuts = -1, "time_outs");
    }

    [Theory]
    [InlineData(2, 12, "rows")]
    [InlineData(0, 16, "rows")]
    [InlineData(-1, 16, "rows")]
    [InlineData(1, 0, "activations")]
    [InlineData(1, 6, "activations")]
    [InlineData(1, ProtocolLimits.RowBytes + 4, "activations")]
    [InlineData(2, ProtocolLimits.ActivationBytes + 8, "activations")]
    [InlineData(int.MaxValue, 16, "rows")]
    public void Activations_that_do_not_match_their_rows_are_refused(int rows, int payload, string reason)
    {
        var header = new Form.FeedHiddenHeader { Session = new Form.Id128(), Epoch = 1, Rows = rows }.ToByteArray();
        byte[] bytes = [(byte)header.Length, .. header, .. new byte[payload]];
        var error = Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary(bytes, "fh"));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4, "activations")]
    [InlineData(1, 0, "activations")]
    [InlineData(-1, 4, "rows")]
    [InlineData(2, 12, "activations")]
    [InlineData(1, ProtocolLimits.RowBytes + 4, "activations")]
    [InlineData(2, ProtocolLimits.ActivationBytes + 8, "activations")]
    [InlineData(int.MaxValue, 16, "rows")]
    public void Kept_activations_that_do_not_match_their_rows_are_refused(int rows, int payload, string reason)
    {
        var header = new Form.KeptRowsHeader { Session = new Form.Id128(), Epoch = 1, Rows = rows }.ToByteArray();
        byte[] bytes = [(byte)header.Length, .. header, .. new byte[payload]];
        var error = Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary(bytes, "kr"));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4, 0, 8, "keys and values")]
    [InlineData(1, 0, 0, 8, "activations")]
    [InlineData(-1, 4, 0, 8, "rows")]
    [InlineData(2, 14, 0, 8, "activations")]
    [InlineData(1, 15, 0, 8, "activations")]
    [InlineData(1, ProtocolLimits.RowBytes + 4, 0, 8, "activations")]
    [InlineData(2, ProtocolLimits.ActivationBytes + 8, 0, 8, "activations")]
    [InlineData(int.MaxValue, 16, 0, 8, "rows")]
    [InlineData(1, 16, -1, 8, "offset")]
    [InlineData(1, 16, ProtocolLimits.CacheValues, 8, "offset")]
    [InlineData(1, 16, 0, -1, "width")]
    [InlineData(1, 16, 0, ProtocolLimits.CacheValues + 1, "width")]
    public void Opened_keys_and_values_that_do_not_match_their_rows_are_refused(int rows, int payload, int offset, int width, string reason)
        => Refused(new Form.CacheOpenedHeader { Session = new Form.Id128(), Epoch = 1, Rows = rows, Offset = offset, Width = width }, payload, "co", reason);

    [Theory]
    [InlineData(0, 4, 0, "rows")]
    [InlineData(0, 0, 0, "rows")]
    [InlineData(2, 14, 0, "activations")]
    [InlineData(1, 15, 0, "activations")]
    [InlineData(1, ProtocolLimits.RowBytes + 4, 0, "activations")]
    [InlineData(2, ProtocolLimits.ActivationBytes + 8, 0, "activations")]
    [InlineData(int.MaxValue, 16, 0, "rows")]
    [InlineData(ProtocolLimits.SessionTokens + 1, 0, 0, "rows")]
    [InlineData(1, 16, -1, "offset")]
    [InlineData(1, 16, ProtocolLimits.CacheValues, "offset")]
    public void Keys_and_values_for_a_verifier_that_do_not_match_their_rows_are_refused(int rows, int payload, int offset, string reason)
        => Refused(new Form.FeedCacheHeader { Session = new Form.Id128(), Epoch = 1, Rows = rows, Offset = offset }, payload, "fv", reason);

    [Fact]
    public void A_damaged_actor_path_is_an_actor_path_or_is_refused()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        const string Characters = "akz09:/@#%?.-_$ []\\\u00e9\0";
        for (var round = 0; round < 5000; round++)
        {
            var path = "akka.tcp://system@host:4053/user/actor#123".ToCharArray();
            for (var changes = random.Next(1, 6); changes > 0; changes--)
            {
                path[random.Next(path.Length)] = Characters[random.Next(Characters.Length)];
            }

            var bytes = new Form.DeviceAnnouncement
            {
                Device = new(),
                Node = new() { Protocol = "akka", System = "s" },
                Host = new string(path),
            }.ToByteArray();
            ReadOrRefuse(bytes, "da", $"seed {seed}, round {round}, path {new string(path)}");
        }
    }

    private void Refused<TMessage, TForm>(Action<TForm> damage, string field)
        where TForm : IMessage<TForm>, new()
    {
        var message = fixture.Samples.One(typeof(TMessage), 3);
        var form = new TForm();
        form.MergeFrom(fixture.Serializer.ToBinary(message));
        damage(form);
        var error = Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary(form.ToByteArray(), fixture.Serializer.Manifest(message)));
        Assert.StartsWith(typeof(TMessage).Name, error.Message, StringComparison.Ordinal);
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
    }

    private static Form.AuditOrder Order(params Form.Range[] refed) => new() { Key = ByteString.CopyFrom(new byte[32]), Refed = { refed } };

    private void Refused(IMessage header, int payload, string manifest, string reason)
    {
        var form = header.ToByteArray();
        var error = Assert.Throws<MalformedMessageException>(() => fixture.Serializer.FromBinary([(byte)form.Length, .. form, .. new byte[payload]], manifest));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private void ReadOrRefuse(byte[] bytes, string manifest, string what)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            Assert.IsAssignableFrom<IProtocolMessage>(fixture.Serializer.FromBinary(bytes, manifest));
        }
        catch (MalformedMessageException)
        {
            // Refused, as it should be.
        }
        catch (Exception e)
        {
            Assert.Fail($"{what}: {e.GetType().Name} instead of a refusal: {e.Message}");
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 200_000 + (bytes.Length * 100L), $"{what}: {allocated} bytes allocated for {bytes.Length} bytes");
    }
}
