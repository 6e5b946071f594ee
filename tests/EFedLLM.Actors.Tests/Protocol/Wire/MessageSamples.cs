using System.Collections.Immutable;
using Akka.Actor;
using CsCheck;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Protocol.Wire;

/// <summary>A generator of well-formed messages for every message type.</summary>
internal sealed class MessageSamples
{
    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.Char.AlphaNumeric.Array[0, 40].Select(characters => new string(characters)),
        Any("", "ein Wort", "\u4f60\u597d, \U0001F600", "tab\tnull\0line\n"));

    private static readonly Gen<Guid> Uuids = Gen.Guid;
    private static readonly Gen<SessionId> Sessions = Uuids.Select(id => new SessionId(id));
    private static readonly Gen<PromptId> PromptIds = Uuids.Select(id => new PromptId(id));
    private static readonly Gen<DeviceId> Devices = Gen.Byte.Array[16].Select(bytes => new DeviceId(Convert.ToHexStringLower(bytes)));
    private static readonly Gen<ModelId> Models = Gen.Byte.Array[32].Select(bytes => new ModelId(Convert.ToHexStringLower(bytes)));
    private static readonly Gen<LayerRange> Ranges = Gen.Select(Gen.Int[0, 100], Gen.Int[1, 50]).Select((first, count) => new LayerRange(first, first + count));
    private static readonly Gen<Half> Halves = Gen.UShort.Select(BitConverter.UInt16BitsToHalf);
    private static readonly Gen<int> Epochs = Gen.Int[1, int.MaxValue];
    private static readonly Gen<int> Positions = Gen.Int[0, ProtocolLimits.SessionTokens - 512];
    private static readonly Gen<int> Offsets = Gen.Int[0, ProtocolLimits.CacheValues - 1];
    private static readonly Gen<int> HopIndices = Gen.Int[0, ProtocolLimits.Hops - 1];
    private static readonly Gen<ImmutableArray<int>> Micros = Gen.Int[0, int.MaxValue].Array[0, 8].Select(times => times.ToImmutableArray());
    private static readonly Gen<float> Logprobs = Gen.Float[-50, 0];
    private static readonly Gen<double> Amounts = Gen.Double[0, 1e12];
    private static readonly Gen<long> Counts = Gen.Long[0, long.MaxValue];
    private static readonly Gen<DateTimeOffset> Moments = Gen.Long[0, DateTimeOffset.MaxValue.UtcTicks].Select(ticks => new DateTimeOffset(ticks, TimeSpan.Zero));
    private static readonly Gen<ReportId> Reports = Gen.Select(Uuids, Gen.Long[1, long.MaxValue]).Select((reporter, sequence) => new ReportId(reporter, sequence));

    private static readonly Gen<TokenChoice> Choices = Gen.Select(
        Gen.Int[0, int.MaxValue],
        Logprobs,
        Gen.Select(Gen.Int[0, int.MaxValue], Logprobs).Select((id, logprob) => new TokenLogprob(id, logprob)).Array[0, ProtocolLimits.TopLogprobs])
        .Select((id, logprob, top) => new TokenChoice(id, logprob, [.. top]));

    private static readonly Gen<SamplingSettings> Samplings = Gen.Select(Gen.Float[0, 2], Gen.Float[0.001f, 1], Gen.Int[0, 1000], Gen.ULong, Gen.Int[0, 20])
        .Select((temperature, topP, topK, seed, top) => new SamplingSettings { Temperature = temperature, TopP = topP, TopK = topK, Seed = seed, TopLogprobs = top });

    private static readonly Gen<SequenceOutput> Outputs = Any(Enum.GetValues<SequenceOutput>());

    private static readonly Gen<Digest> Digests = Gen.Byte.Array[Digest.Bytes].Select(bytes => Digest.Read(bytes));

    private static readonly Gen<ImmutableArray<PageKey>> PageKeys = Gen.Select(Gen.ULong, Gen.ULong).Array[0, 5].Select(keys => keys.Select(key => new PageKey(key.Item1, key.Item2)).ToImmutableArray());

    private readonly Dictionary<Type, Gen<IProtocolMessage>> _generators = [];

    /// <summary>With references to <paramref name="actors"/>.</summary>
    public MessageSamples(params IActorRef[] actors)
    {
        var refs = Any(actors);
        AddSession(refs);
        AddAudits();
        AddGateway();
        AddDevices(refs);
        AddLedger();
        AddLeaving();
        Add(Gen.Select(Gen.Byte.Array[1, ProtocolLimits.RevocationBytes], Gen.Byte.Array[ProtocolLimits.AuthoritySignatureBytes])
            .Select((content, signature) => new SignedRevocation(content, signature)));
    }

    private static Gen<T> Any<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    /// <summary>A generator of messages of a type.</summary>
    public Gen<IProtocolMessage> Of(Type type) => _generators.TryGetValue(type, out var generator)
        ? generator
        : throw new InvalidOperationException($"{type.Name} has no generator in {nameof(MessageSamples)}: a new message needs one, and a form in Protocol/Wire.");

    /// <summary>The message that <paramref name="seed"/> stands for.</summary>
    public IProtocolMessage One(Type type, uint seed) => Of(type).Generate(new PCG(seed), null, out _);

    private void Add<T>(Gen<T> generator)
        where T : class, IProtocolMessage
        => _generators.Add(typeof(T), generator.Select(message => (IProtocolMessage)message));

    private void AddSession(Gen<IActorRef> refs)
    {
        var hops = Gen.Select(Devices, Gen.Int[1, 20], refs).Array[1, 8].Select(parts =>
        {
            var first = 0;
            return parts.Select(part =>
            {
                var hop = new Hop(part.Item1, new LayerRange(first, first + part.Item2), part.Item3);
                first = hop.Range.End;
                return hop;
            }).ToImmutableArray();
        });
        Add(Gen.Select(Gen.Select(Sessions, Epochs), Models, hops, Gen.Int[0, 7], Gen.Int[1, ProtocolLimits.SessionTokens], Samplings, refs,
                Gen.Select(Outputs, Gen.Int[0, 200_000].Array[0, 50], Gen.Bool, Gen.Select(Digests, Positions, Gen.Int[1, 100].Array[0, 4]).Select((key, from, steps) => new AuditOrder(key, from, Spans(from, steps))).Null(), Gen.Select(Digests, Digests, PageKeys)))
            .Select((which, model, route, index, limit, sampling, pipeline, wanted) => new OpenSession(
                which.Item1, which.Item2, new Route(model, route), index % route.Length, limit, sampling, pipeline, wanted.Item1, [.. wanted.Item2], wanted.Item3, wanted.Item4,
                wanted.Item3 ? new ClusterId(wanted.Item5.Item1) : default, wanted.Item3 ? wanted.Item5.Item2 : default, wanted.Item5.Item3)));
        Add(Gen.Select(Sessions, Epochs, Positions, Gen.Int[0, int.MaxValue].Array[1, 64], Gen.Bool, Gen.Bool)
            .Select((session, epoch, position, tokens, sample, drafted) => new FeedTokens(session, epoch, position, [.. tokens], sample, drafted)));
        Add(Gen.Select(Sessions, Epochs, Positions, Gen.Int[1, 6], Gen.Int[1, 40], Gen.Select(Gen.Bool, Gen.Bool), Micros)
            .SelectMany((session, epoch, position, rows, hidden, flags, micros) => Gen.Float.Array[rows * hidden]
                .Select(values => new FeedHidden(session, epoch, position, rows, flags.Item1, values, micros, flags.Item2 && rows > 1))));
        Add(Gen.Select(Sessions, Epochs, Positions).Select((session, epoch, position) => new HiddenReceived(session, epoch, position)));
        Add(Gen.Select(Sessions, Epochs, PageKeys).Select((session, epoch, pages) => new CloseSession(session, epoch, pages)));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Positions, Positions)
            .Select((session, epoch, index, one, other) => new SessionOpened(session, epoch, index, Math.Max(one, other), Math.Min(one, other))));
        Add(Gen.Select(Sessions, Epochs, Gen.Int[1, ProtocolLimits.SessionTokens], Positions.Array[1, 8])
            .Select((session, epoch, length, starts) => new ResumeSession(session, epoch, [.. starts.Select(start => Math.Min(start, length))], length)));
        Add(Gen.Select(Sessions, Epochs, HopIndices).Select((session, epoch, index) => new SessionMoving(session, epoch, index)));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Any(Enum.GetValues<RefusalReason>()), Texts)
            .Select((session, epoch, index, reason, text) => new SessionRefused(session, epoch, index, reason, text)));
        Add(Gen.Select(Sessions, Epochs, Positions, Gen.Int[1, 512], Micros, Choices.Array[0, 4])
            .Select((session, epoch, position, rows, micros, scores) => new RowsComputed(session, epoch, position, Math.Max(rows, scores.Length), micros, [.. scores])));
        Add(Gen.Select(Sessions, Epochs, Positions, Choices, Micros, Choices.Array[0, ProtocolLimits.Drafts])
            .Select((session, epoch, position, choice, micros, further) => new TokenSampled(session, epoch, position, choice, micros, [.. further])));
        Add(Gen.Select(Sessions, Epochs, Gen.Int[1, 512], Logprobs.Array[1, 40], Micros)
            .Select((session, epoch, rows, values, micros) => new SequenceEncoded(session, epoch, rows, values, micros)));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Positions, Positions)
            .Select((session, epoch, index, position, length) => new StepRejected(session, epoch, index, position, length)));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Texts, Positions, Gen.Select(Gen.Bool, Gen.Bool))
            .Select((session, epoch, index, text, position, why) => new StepFailed(session, epoch, index, text, why.Item1 ? position : null, why.Item2)));
    }

    private static ImmutableArray<Refed> Spans(int from, int[] steps)
    {
        var spans = new List<Refed>();
        foreach (var step in steps)
        {
            spans.Add(new Refed(from, from + step));
            from += step + 1;
        }

        return [.. spans];
    }

    private void AddAudits()
    {
        Add(Gen.Select(Gen.Select(Sessions, Epochs, HopIndices), Gen.Select(Positions, Gen.Int[1, UnitCut.Rows]), Gen.Select(Digests, Digests, Digests), Gen.Byte.Array[DeviceKey.SignatureBytes])
            .Select((where, which, roots, signature) => new UnitSigned(
                where.Item1, where.Item2, where.Item3, which.Item1, which.Item2, roots.Item1, roots.Item2, roots.Item3, [.. signature])));
        Add(Gen.Select(Sessions, Epochs, Positions).Select((session, epoch, length) => new SealReceipts(session, epoch, length)));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Positions).Select((session, epoch, index, length) => new ReceiptsSealed(session, epoch, index, length)));
        Add(Gen.Select(Sessions, Epochs, Positions, Gen.Int[1, 512], Gen.Bool).Select((session, epoch, position, rows, taken) => new FetchKept(session, epoch, position, rows, taken)));
        Add(Gen.Select(Gen.Select(Sessions, Epochs, HopIndices), Positions, Gen.Int[0, 6], Gen.Int[1, 40], Gen.Bool, Gen.Byte.Array[DeviceKey.SignatureBytes])
            .SelectMany((where, position, rows, hidden, taken, signature) => Gen.Float.Array[rows * hidden]
                .Select(values => new KeptRows(where.Item1, where.Item2, where.Item3, position, rows, values, taken, rows > 0 ? [.. signature] : []))));
        Add(Gen.Select(Sessions, Epochs, Positions, Offsets, Gen.Int[1, 512]).Select((session, epoch, position, offset, rows) => new FetchCache(session, epoch, position, offset, rows)));
        Add(Gen.Select(Gen.Select(Sessions, Epochs, HopIndices), Positions, Offsets, Gen.Int[0, 6], Gen.Int[1, 40])
            .SelectMany((where, position, offset, rows, width) => Halves.Array[rows * width]
                .Select(values => new CacheOpened(where.Item1, where.Item2, where.Item3, position, offset, rows, width, values))));
        Add(Gen.Select(Sessions, Epochs, Positions, Offsets, Gen.Int[1, 6], Gen.Int[0, 40])
            .SelectMany((session, epoch, position, offset, rows, width) => Halves.Array[rows * width]
                .Select(values => new FeedCache(session, epoch, position, offset, rows, values))));
        Add(Gen.Select(Sessions, Epochs, HopIndices, Positions, Gen.Int[1, UnitCut.Rows], Gen.Select(Digests, Digests), Gen.Int[0, int.MaxValue], Gen.Byte.Array[DeviceKey.SignatureBytes])
            .Select((session, epoch, index, position, rows, roots, time, signature) => new UnitRecomputed(
                session, epoch, index, position, rows, roots.Item1, roots.Item2, time, time % 2 == 0 ? [] : [.. signature])));
    }

    private void AddGateway()
    {
        var inputs = Gen.OneOf(
            Texts.Select(text => new PromptInput(Text: text)),
            Gen.Select(Texts, Texts).Select((role, content) => new ChatMessage(role, content)).Array[0, 5].Select(chat => new PromptInput(Messages: [.. chat])),
            Gen.Int[0, 200_000].Array[0, 50].Select(tokens => new PromptInput(Tokens: [.. tokens])));
        Add(Gen.Select(PromptIds, inputs, Samplings, Gen.Int[1, 10_000], Texts.Array[0, 4], Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, Gen.Int[-1, ProtocolLimits.Drafts]), Texts.Null(), Outputs)
            .Select((id, input, sampling, most, stop, flags, model, output) => new Prompt(
                id, input, new GenerationSettings { Sampling = sampling, MaxTokens = most, Stop = [.. stop], IgnoreEndTokens = flags.Item1 }, model, output, flags.Item2, Signed: flags.Item3, Tenant: flags.Item1 ? new string('f', ProtocolLimits.TenantCharacters) : "", Drafts: flags.Item4 < 0 ? null : flags.Item4)));
        Add(Gen.Select(PromptIds, Gen.Int[0, 1000], Choices.Array[0, 5]).Select((id, index, choices) => new PromptScored(id, index, [.. choices])));
        Add(Gen.Select(PromptIds, Logprobs.Array[1, 40]).Select((id, values) => new TextEncoded(id, values)));
        Add(PromptIds.Select(id => new CancelGeneration(id)));
        Add(Gen.Select(
                PromptIds,
                Sessions,
                Models,
                Texts,
                Gen.Int[0, int.MaxValue].Array[0, 100],
                Gen.Select(Devices, Texts, Ranges).Select((device, address, range) => new HopDescription(device, address, range)).Array[0, 5])
            .Select((id, session, model, name, tokens, route) => new GenerationStarted(id, session, model, name, [.. tokens], [.. route])));
        Add(Gen.Select(PromptIds, Positions, Choices, Texts, Amounts).Select((id, index, choice, text, transport) => new TokenGenerated(id, index, choice, text, transport)));
        Add(Gen.Select(
                PromptIds,
                Any(Enum.GetValues<FinishReason>()),
                Texts,
                Gen.Select(Positions, Positions, Amounts, Amounts, Amounts, Amounts.Array[0, 5], Gen.Select(Positions, Positions))
                    .Select((prompt, generated, queue, prefill, decode, hops, drafts) => new GenerationTiming(
                        prompt, generated, queue, prefill, decode, [.. hops], prompt / 2, Math.Max(drafts.Item1, drafts.Item2), Math.Min(drafts.Item1, drafts.Item2))),
                Digests)
            .Select((id, reason, text, timing, receipts) => new GenerationFinished(id, reason, text, timing, receipts)));
        Add(Gen.Select(
                PromptIds, Gen.Select(HopIndices, Positions), Gen.Byte.Array[DeviceKey.PublicKeyBytes], Gen.Select(Sessions, Models, Ranges, Digests, Digests), Devices.Array[0, 3],
                Gen.Select(Gen.Select(Epochs, HopIndices), Positions, Gen.Int[1, UnitCut.Rows], Gen.Select(Digests, Digests, Digests, Digests), Gen.Byte.Array[DeviceKey.SignatureBytes]).Array[1, 4])
            .Select((id, place, key, work, by, units) => new HopSigned(id, place.Item1, key, place.Item2, [.. by], [.. units.Select(unit => new SignedReceipt(
                new Receipt(
                    new ClusterId(work.Item4), work.Item1, unit.Item1.Item1, unit.Item1.Item2, DeviceKey.IdOf(key), work.Item2, work.Item3, unit.Item2, unit.Item3,
                    unit.Item4.Item1, unit.Item4.Item2, unit.Item4.Item3, unit.Item4.Item4),
                [.. unit.Item5]))], work.Item5)));
        Add(Gen.Select(PromptIds, Any(Enum.GetValues<GenerationError>()), Texts).Select((id, error, text) => new GenerationFailed(id, error, text)));
    }

    private void AddDevices(Gen<IActorRef> refs)
    {
        var addresses = Any(
            new Address("akka", "efedllm"),
            new Address("akka.tcp", "efedllm", "127.0.0.1", 4053),
            new Address("akka.ssl.tcp", "efed-llm_2", "node-1.example.org", 65535),
            new Address("akka.tcp", "efedllm", "::1", 1));
        var loaded = Gen.Select(Models, Ranges, refs, Counts, Counts).Select((model, range, shard, bytes, streamed) => new LoadedRange(model, range, shard, bytes, streamed));
        var keys = Gen.OneOf(Gen.Const(Array.Empty<byte>()), Gen.Byte.Array[DeviceKey.PublicKeyBytes]);
        Add(Gen.Select(
                Gen.Select(Gen.Select(Devices, keys), Texts, addresses, refs),
                Counts,
                Amounts,
                Models.Array[0, 4],
                loaded.Array[0, 4],
                Gen.Bool,
                Gen.Select(Counts, Offers().Null()))
            .Select((who, memory, speed, models, ranges, leaving, last) => new DeviceAnnouncement(
                who.Item1.Item2.Length == 0 ? who.Item1.Item1 : DeviceKey.IdOf(who.Item1.Item2), who.Item2, who.Item3, who.Item4, memory, speed, [.. models], [.. ranges], leaving, last.Item1, last.Item2)
            {
                Links = [.. models.Select((model, i) => new LinkSample(who.Item1.Item1, i * 0.25f))],
                PublicKey = who.Item1.Item2,
                Owner = who.Item1.Item2.Length == 0 ? null : $"owner {last.Item1 % 3}",
                Certificate = who.Item1.Item2,
            }));
        Add(Gen.Select(
                Models,
                Texts,
                Gen.Int[1, 32768],
                Gen.Select(Counts, Counts, Counts).Array[2, 40],
                Gen.Int[1, ProtocolLimits.SessionTokens],
                Gen.Double[0, 32],
                Gen.Select(Gen.Select(Devices, Gen.Int[1, ushort.MaxValue]).Select((giver, port) => new FilesOffer(giver, port)).Null(), Gen.Bool))
            .Select((model, name, hidden, units, context, bits, last) => new ServedModel(
                model, name, hidden, [.. units.Select(unit => unit.Item1)], [.. units.Select(unit => unit.Item2)], [.. units.Select(unit => unit.Item3)], context, bits, last.Item1, last.Item2)));
        Add(Gen.Select(Models, Counts, Gen.Select(Devices, Ranges, Texts, Counts).Select((device, range, text, memory) => new Assignment(device, range, text, memory)).Array[0, 6], Texts.Null())
            .Select((model, version, assignments, problem) => new PlacementPlan(model, version, [.. assignments.DistinctBy(assignment => assignment.Device)], problem)));
    }

    private static Gen<BlobOffer> Offers()
    {
        var held = Gen.Select(Models, Ranges.Array[0, 4]).Select((model, ranges) => new HeldFiles(model, [.. ranges]));
        var fetching = Gen.Select(Models, Ranges, Gen.Long[0, 1L << 40], Gen.Long[0, 1L << 40])
            .Select((model, range, one, other) => new FetchingRange(model, range, Math.Min(one, other), Math.Max(one, other)));
        return Gen.Select(Gen.Int[0, ushort.MaxValue], held.Array[0, 4], fetching.Array[0, 4])
            .Select((port, files, ranges) => new BlobOffer(port, [.. files], [.. ranges]));
    }

    private void AddLeaving()
    {
        Add(Devices.Select(device => new LeaveCluster(device)));
        Add(Gen.Select(Devices, Gen.ULong).Select((device, seed) => new ComputeGolden(device, seed)));
        Add(Gen.Select(Devices, Gen.ULong, Gen.ULong).Select((device, seed, root) => new GoldenComputed(device, seed, new Digest(root, seed, 3, 4))));
        Add(Gen.Select(Devices, Texts.Null(), Gen.Int[0, int.MaxValue]).Select((device, refusal, seconds) => new LeaveAnswer(device, refusal, seconds)));
    }

    private void AddLedger()
    {
        var outcomes = Any(Enum.GetValues<WorkOutcome>());
        var digests = Gen.OneOf(Gen.Const(default(Digest)), Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong, Gen.ULong).Select((a, b, c, d) => new Digest(a, b, c, d)));
        var checks = Gen.Select(
                Any(Enum.GetValues<TrustRole>()), Any(Enum.GetValues<CheckOutcome>()), Positions, Gen.OneOf(Gen.Const(default(DeviceId)), Devices), digests, digests, digests, Texts)
            .Select((role, outcome, position, verifier, expected, found, proof, reason) => new CheckFacts(role, outcome, position, verifier, expected, found, proof, reason));
        Add(Gen.Select(Reports, Devices, Gen.Select(Sessions, Models), Ranges, outcomes, Positions, Moments, checks)
            .Select((id, device, where, range, outcome, tokens, at, check) => new RecordWork(
                id, device, where.Item1, where.Item2, range, outcome, tokens, at, outcome == WorkOutcome.Checked ? check : null)
            {
                Size = tokens % 2 == 0 ? new WorkSize(tokens, 7) : null,
                Amount = outcome == WorkOutcome.Found ? tokens : 0,
                Signed = tokens % 3 == 0 ? null : new ReportSignature([.. Enumerable.Repeat((byte)tokens, DeviceKey.PublicKeyBytes)], [.. Enumerable.Repeat((byte)range.First, DeviceKey.SignatureBytes)]),
            }));
        var tiers = Any(Enum.GetValues<TrustTier>());
        var exclusions = Gen.Select(Gen.Bool, Moments, Amounts, Gen.Int[0, int.MaxValue]).Select((isFaulty, until, score, tokens) => new Exclusion(isFaulty, until, score, tokens)).Null();
        var verdicts = Gen.ULong[0, (1UL << (4 * VerdictId.Digits)) - 1].Select(value => new VerdictId($"{value:x10}"));
        var standings = Gen.Select(Gen.Select(Amounts, Counts, Counts), Gen.Select(Counts, Counts), Moments.Array[0, ProtocolLimits.HardTimes], Moments.Nullable(), exclusions, Gen.Select(Gen.Int[0, 9], Counts))
            .Select((good, bad, times, excluded, exclusion, after) => new RoleStanding
            {
                Score = good.Item1,
                PassedTokens = good.Item2,
                Passed = good.Item3,
                Soft = bad.Item1,
                Hard = bad.Item2,
                HardTimes = [.. times],
                HardPassed = [.. times.Select(time => time.Ticks / 7)],
                ExcludedAt = excluded,
                Exclusion = exclusion,
                Bans = after.Item1,
                UnpaidTokens = after.Item2,
            });
        Add(Gen.Select(Reports, Devices).Select((id, device) => new WorkRecorded(id, device)));
        Add(Devices.Select(device => new GetDeviceRecord(device)));
        Add(Gen.Select(
                Devices,
                Gen.Select(Moments.Nullable(), Moments.Nullable()),
                Gen.Select(Counts, Counts, Counts),
                Gen.Select(Counts, Counts),
                Gen.Select(Amounts, Amounts, Amounts, Amounts),
                Gen.Select(Sessions, outcomes, Positions, Ranges, Moments, checks, Gen.Select(verdicts.Nullable(), Texts.Null(), Devices.Nullable()))
                    .Select((session, outcome, tokens, range, at, check, verdict) => new LedgerEntry(
                        session, outcome, tokens, range, at, outcome == WorkOutcome.Checked ? check : null) { Verdict = verdict.Item1, Struck = verdict.Item2, Reporter = verdict.Item3 }).Array[0, 50],
                Gen.Select(standings, tiers, standings, tiers))
            .Select((device, seen, work, lost, credit, recent, trust) => new DeviceRecord(
                device, seen.Item1, seen.Item2, work.Item1, work.Item2, work.Item3, lost.Item1, lost.Item2, credit.Item1, credit.Item2, [.. recent])
            {
                Server = trust.Item1,
                ServerTier = trust.Item2,
                Verifier = trust.Item3,
                VerifierTier = trust.Item4,
                Vested = credit.Item2,
                Escrow = credit.Item3,
                Unvested = credit.Item4,
                Slashed = credit.Item1,
            }));
        Add(Gen.Select(Devices, tiers, tiers, Amounts, Counts, Gen.Int[1, ushort.MaxValue], exclusions, Gen.Select(Gen.Double[0, 1], Moments.Nullable()))
            .Select((device, server, verifier, score, revision, port, exclusion, preference) => new DeviceStanding(
                device, server, verifier, score, revision, new Address("akka.tcp", "efedllm", "127.0.0.1", port)) { Exclusion = exclusion, Preference = preference.Item1, NextReturn = preference.Item2 }));
        Add(Gen.Select(Devices, verdicts, Texts).Select((device, verdict, reason) => new StrikeVerdict(device, verdict, reason)));
        Add(Gen.Select(Devices, verdicts, Any(Enum.GetValues<StrikeResult>()), tiers, tiers).Select((device, verdict, result, server, verifier) => new StrikeAnswer(device, verdict, result, server, verifier)));
        Add(Gen.Select(Devices, Texts).Select((device, problem) => new AccountRefused(device, problem)));
        Add(Gen.Const(new ListLedgerDevices()));
        Add(Devices.Array[0, 20].Select(devices => new LedgerDevices([.. devices])));
    }
}
