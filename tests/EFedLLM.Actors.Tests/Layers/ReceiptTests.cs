using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Layers;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Actors.Tests.Layers;

/// <summary>What hops sign, and that others who compute the same come to the same.</summary>
public sealed class ReceiptTests(CheckedModel model) : IClassFixture<CheckedModel>, IDisposable
{
    private readonly CheckedCluster _cluster = new(model.Source);

    public static TheoryData<VectorWidth> Narrower => VectorWidthProcesses.Narrower;

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData(0f, 7)]
    [InlineData(0.9f, 40, 2)]
    [InlineData(0f, 16, 2)]
    [InlineData(1.3f, 1, 1, 3)]
    [InlineData(0.7f, 33, 1, 4)]
    public void Every_receipt_of_every_hop_is_what_another_device_computes(float temperature, int chunk, params int[] cuts)
    {
        var served = Serve(_cluster.AddRoute(cuts), temperature, chunk);
        for (var hop = 0; hop < served.Stages.Length; hop++)
        {
            CheckChain(served, hop, from: 0, end: 70);
            Assert.Empty(served.Wrong(hop, _cluster.Add(served.Stages[hop].Range)));
        }
    }

    [Fact]
    public void What_one_hop_gives_is_what_the_next_one_gets()
    {
        var served = Serve(_cluster.AddRoute(1, 3), 0, 16);
        for (var hop = 1; hop < 3; hop++)
        {
            Assert.Equal(served.Receipts(hop - 1).Select(signed => signed.Receipt.OutRoot), served.Receipts(hop).Select(signed => signed.Receipt.InRoot));
        }

        Assert.Equal(
            served.Receipts(0).Select(signed => Merkle.Root([.. served.Tokens.Skip(signed.Receipt.Position).Take(signed.Receipt.Rows).Select(PositionDigest.OfToken)])),
            served.Receipts(0).Select(signed => signed.Receipt.InRoot));
    }

    [Fact]
    public void What_the_head_signs_is_the_tokens_that_it_gave()
    {
        var served = Serve(_cluster.AddRoute(2), 0.8f, 16);
        var drawn = _cluster.Of<TokenSampled>(served.Id).ToDictionary(message => message.Position - 1, message => PositionDigest.OfDraw(message.Choice.Id, message.Choice.Logprob));
        Assert.Equal(
            served.Receipts(1).Select(signed => Merkle.Root([.. Enumerable.Range(signed.Receipt.Position, signed.Receipt.Rows).Select(position => drawn.GetValueOrDefault(position))])),
            served.Receipts(1).Select(signed => signed.Receipt.OutRoot));
    }

    [Fact]
    public void Sessions_that_share_batches_sign_what_each_would_alone()
    {
        var stages = _cluster.AddRoute(2);
        var alone = Serve(stages, 0.9f, 16);
        var together = Enumerable.Range(0, 5).Select(_ => _cluster.Open(stages, Sampling(0.9f))).ToArray();
        foreach (var (number, session) in together.Index())
        {
            session.Prefill(Prompt(number == 3 ? 37 : 20 + (7 * number)), 5 + number, runs: false);
        }

        _cluster.Run();
        foreach (var session in together)
        {
            session.Take();
        }

        var batches = stages[0].Batches;
        for (var round = 0; round < 33; round++)
        {
            foreach (var session in together)
            {
                session.Step();
            }

            _cluster.Run();
            foreach (var session in together)
            {
                session.Take();
            }
        }

        Assert.True(stages[0].Batches - batches < 3 * 33, "They do not share batches.");
        foreach (var session in together)
        {
            session.Seal();
        }

        Assert.Equal(alone.Tokens, together[3].Tokens);
        for (var hop = 0; hop < 2; hop++)
        {
            Assert.Equal(alone.Receipts(hop).Select(signed => signed.Receipt.OutRoot), together[3].Receipts(hop).Select(signed => signed.Receipt.OutRoot));
            foreach (var session in together)
            {
                Assert.Empty(session.Wrong(hop, _cluster.Add(stages[hop].Range)));
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void A_device_with_more_threads_comes_to_the_same(int threads)
    {
        var served = Serve(_cluster.AddRoute(2), 0.9f, 70);
        for (var hop = 0; hop < 2; hop++)
        {
            Assert.Empty(served.Wrong(hop, _cluster.Add(served.Stages[hop].Range, threads)));
        }
    }

    [Theory]
    [MemberData(nameof(Narrower))]
    public async Task A_processor_with_narrower_vectors_signs_and_answers_the_same(VectorWidth width)
        => Assert.Equal(BitResults.Hash(new CheckedWork()), Assert.Single(await VectorWidthProcesses.HashAsync(width, typeof(CheckedWork))));

    [Fact]
    public void A_session_that_goes_on_in_the_middle_of_a_unit_signs_on_from_there()
    {
        var stages = _cluster.AddRoute(1, 3);
        var served = _cluster.Open(stages, Sampling(0.9f));
        served.Prefill(Prompt(21), 8);
        served.Decode(4);
        var old = served.Receipts(0).Count();

        // The middle hop is lost: the first gives it what it kept; the last keeps what it has.
        CheckedCluster.Stage[] repaired = [stages[0], _cluster.Add(stages[1].Range), stages[2]];
        served.Resume(repaired, 24, 0, 24);
        served.Feed(24, 2, true);
        _cluster.Run();
        served.Take();
        served.Decode(20);
        served.Seal();

        CheckChain(served, 0, from: 24, end: 46);
        CheckChain(served, 1, from: 0, end: 46);
        CheckChain(served, 2, from: 24, end: 46);
        foreach (var hop in (int[])[0, 1, 2])
        {
            Assert.Empty(served.Wrong(hop, _cluster.Add(stages[hop].Range)));
        }

        // What was in no receipt when the route changed was signed all the same, as of the epoch in which it was computed.
        var before = served.Receipts(0, epoch: 1).Select(signed => signed.Receipt).ToArray();
        Assert.Equal(1, old);
        Assert.Equal([(0, 16), (16, 8)], before.Select(receipt => (receipt.Position, receipt.Rows)));
        Assert.Equal(before[0].Hash, before[1].Previous);
    }

    [Fact]
    public void Positions_that_are_computed_again_are_in_no_receipt_twice_in_one_epoch()
    {
        var stages = _cluster.AddRoute(2);
        var served = _cluster.Open(stages);
        served.Prefill(Prompt(30), 30);
        served.Decode(10);

        // One hop is cut back into what it did not sign yet, the other into what it signed.
        served.Resume(stages, 36, 10);
        served.Feed(36, 5, true);
        _cluster.Run();
        served.Take();
        served.Seal();
        CheckChain(served, 0, from: 36, end: 41);
        CheckChain(served, 1, from: 10, end: 41);
        Assert.Empty(served.Wrong(1, _cluster.Add(stages[1].Range)));
        var old = _cluster.Of<UnitSigned>(served.Id).Where(signed => signed.Epoch == 1).Select(signed => (signed.HopIndex, signed.Position, signed.Rows));
        Assert.Equal([(0, 0, 16), (0, 16, 16), (0, 32, 4), (1, 0, 16), (1, 16, 16)], old.Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_answer_of_a_check_is_about_a_unit_however_it_is_fed(int seed)
    {
        var served = Serve(_cluster.AddRoute(2), 0.9f, 16);
        var random = new Random(seed);
        for (var hop = 0; hop < 2; hop++)
        {
            var steps = new List<(int Position, int Rows, bool Ends)>();
            for (var position = 0; position < 70; position += steps[^1].Rows)
            {
                var rows = Math.Min(random.Next(1, 40), 70 - position);
                steps.Add((position, rows, position + rows == 70));
            }

            var answers = served.Check(hop, _cluster.Add(served.Stages[hop].Range, batchRows: 11), steps);
            Assert.Equal(
                served.Receipts(hop).Select(signed => (signed.Receipt.Position, signed.Receipt.Rows, PositionDigest.OfAnswer(CheckedCluster.Key, signed.Receipt.OutRoot, signed.Receipt.KvRoot))),
                answers.Select(answer => (answer.Position, answer.Rows, answer.Answer)));
        }
    }

    [Fact]
    public void A_unit_that_ends_early_is_answered_where_the_one_who_checks_says_so()
    {
        var stages = _cluster.AddRoute(2);
        var served = _cluster.Open(stages);
        served.Prefill(Prompt(20), 20);
        served.Seal();
        served.Decode(20);
        served.Seal();
        Assert.Equal([(0, 16), (16, 4), (20, 12), (32, 8)], served.Receipts(1).Select(signed => (signed.Receipt.Position, signed.Receipt.Rows)));
        CheckChain(served, 1, from: 0, end: 40);
        Assert.Empty(served.Wrong(0, _cluster.Add(stages[0].Range)));
        Assert.Empty(served.Wrong(1, _cluster.Add(stages[1].Range)));
    }

    [Fact]
    public void Receipts_are_asked_for_behind_what_was_fed_and_come_when_that_is_computed()
    {
        var stages = _cluster.AddRoute(2);
        var served = _cluster.Open(stages);
        served.Prefill(Prompt(37), 37, runs: false);
        _cluster.Tell(stages[0], new SealReceipts(served.Id, 1));
        _cluster.Tell(stages[0], new SealReceipts(served.Id, 1));
        _cluster.Run();
        Assert.Equal([(0, 16), (16, 16), (32, 5)], served.Receipts(0).Select(signed => (signed.Receipt.Position, signed.Receipt.Rows)));
        Assert.Equal(37, Assert.Single(_cluster.Of<ReceiptsSealed>(served.Id)).Length);
        Assert.IsType<ReceiptsSealed>(_cluster.Heard.Last(message => message is UnitSigned { HopIndex: 0 } or ReceiptsSealed));
    }

    [SharedTheory]
    [InlineData]
    [InlineData(1)]
    [InlineData(2, 3)]
    public void An_encoder_signs_the_sequence_and_what_its_head_makes_of_it(params int[] cuts)
    {
        using var source = ModelFolder.Open(SharedModels.Model("bert-tiny-sst2"));
        using var cluster = new CheckedCluster(source);
        var stages = cluster.AddRoute(cuts);
        var served = cluster.Open(stages, limit: 21, output: SequenceOutput.Mean);
        int[] tokens = [101, .. Enumerable.Range(2000, 19), 102];
        served.Tokens.AddRange(tokens);
        served.Feed(0, 21, true);
        cluster.Run();
        var encoded = Assert.Single(cluster.Of<SequenceEncoded>(served.Id));
        foreach (var stage in stages)
        {
            cluster.Tell(stage, new SealReceipts(served.Id, 1));
        }

        cluster.Run();
        for (var hop = 0; hop < stages.Length; hop++)
        {
            Assert.Equal([(0, 16), (16, 5)], served.Receipts(hop).Select(signed => (signed.Receipt.Position, signed.Receipt.Rows)));
            Assert.True(hop == 0 || served.Receipts(hop).Select(signed => signed.Receipt.InRoot).SequenceEqual(served.Receipts(hop - 1).Select(signed => signed.Receipt.OutRoot)));
        }

        Assert.Equal(
            [Merkle.Root(new Digest[16]), Merkle.Root([default, default, default, default, PositionDigest.OfRow(encoded.Values.Span)])],
            served.Receipts(stages.Length - 1).Select(signed => signed.Receipt.OutRoot));
        var answers = served.Check(0, cluster.Add(stages[0].Range), [(0, 21, true)]);
        Assert.Equal(served.Receipts(0).Select(signed => PositionDigest.OfAnswer(CheckedCluster.Key, signed.Receipt.OutRoot, signed.Receipt.KvRoot)), answers.Select(answer => answer.Answer));
    }

    [Fact]
    public void Between_two_receipts_signing_costs_no_allocation()
    {
        using var key = DeviceKey.Create();
        var open = new OpenSession(SessionId.New(), 1, new Route(TestSessions.Model, []), 0, 64, SamplingSettings.Greedy, _cluster.Pipeline);
        var (book, signed) = (new ReceiptBook(key, TestSessions.Model, new LayerRange(0, 2), open), new List<ISessionMessage>(4));
        var checks = new CheckBook(open with { Audit = new AuditOrder(CheckedCluster.Key, 0) }, key);
        for (var position = 0; position < 40; position++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            book.Add(position, PositionDigest.OfToken(position), PositionDigest.OfToken(7), PositionDigest.OfToken(8), false, signed);
            checks.Add(position, PositionDigest.OfToken(position), PositionDigest.OfToken(7), PositionDigest.OfToken(8), 0.5, signed);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal(position % 16 == 15, allocated > 0);
        }

        Assert.Equal(4, signed.Count);
        Assert.All(signed.OfType<UnitRecomputed>(), answer => Assert.Equal(8, answer.Microseconds));
        Assert.Throws<InvalidOperationException>(() => book.Add(41, default, default, default, false, signed));
    }

    [Fact]
    public void A_verifier_signs_what_it_answers_and_what_it_was_given_for_it()
    {
        var served = Serve(_cluster.AddRoute(2, 4), 0, 37);
        for (var hop = 0; hop < served.Stages.Length; hop++)
        {
            var (verifier, keyless, receipts) = (_cluster.Add(served.Stages[hop].Range), _cluster.Add(served.Stages[hop].Range, hasKey: false), served.Receipts(hop).Select(signed => signed.Receipt).ToArray());
            var steps = receipts.Select(receipt => (receipt.Position, receipt.Rows, true)).ToArray();
            var answers = served.Check(hop, verifier, steps);
            Assert.Equal(receipts.Select(receipt => receipt.InRoot), answers.Select(answer => answer.GivenRoot));
            Assert.All(answers, answer => Assert.Null(VerifierRules.Problem(answer, verifier.PublicKey.Span, default, hop, answer.GivenRoot)));
            Assert.All(served.Check(hop, keyless, steps), answer => Assert.True(answer.Signature.IsDefaultOrEmpty));
        }
    }

    [Fact]
    public void Nobody_checks_for_a_cluster_that_it_does_not_sign_for()
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        var order = new OpenSession(
            SessionId.New(), 1, served.Route, 0, 64, SamplingSettings.Greedy, _cluster.Pipeline, Audit: new AuditOrder(CheckedCluster.Key, 0), Cluster: ClusterId.WithoutTls("another"));
        _cluster.Tell(_cluster.Add(served.Stages[0].Range), order);
        _cluster.Tell(_cluster.Add(served.Stages[0].Range, hasKey: false), order with { Session = SessionId.New() });
        _cluster.Run();
        Assert.Contains("signs for", Assert.Single(_cluster.Of<SessionRefused>(order.Session)).Message, StringComparison.Ordinal);
        Assert.Single(_cluster.Heard.OfType<SessionRefused>());
    }

    [Fact]
    public void Another_key_hides_the_same_root()
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        var verifier = _cluster.Add(served.Stages[0].Range);
        var answers = served.Check(0, verifier, [(0, 16, true)]).Concat(served.Check(0, verifier, [(0, 16, true)], Digest.Of([9]))).ToArray();
        Assert.NotEqual(answers[0].Answer, answers[1].Answer);
        Assert.DoesNotContain(served.Receipts(0), signed => answers.Any(answer => answer.Answer == signed.Receipt.OutRoot));
    }

    [Fact]
    public void Nobody_but_its_pipeline_gets_receipts_rows_or_answers()
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        _cluster.Forget();
        foreach (var message in (ISessionMessage[])[new SealReceipts(served.Id, 1), new FetchKept(served.Id, 1, 0, 4)])
        {
            _cluster.Tell(served.Stages[0], message, _cluster.Stranger);
        }

        _cluster.Tell(served.Stages[0], new SealReceipts(served.Id, 2));
        _cluster.Tell(served.Stages[0], new FetchKept(served.Id, 2, 0, 4));
        _cluster.Tell(served.Stages[0], new FetchKept(SessionId.New(), 1, 0, 4));
        var verifier = _cluster.Add(served.Stages[1].Range);
        var check = new OpenSession(
            SessionId.New(), 1, served.Route with { Hops = served.Route.Hops.SetItem(1, new Hop(verifier.Device, verifier.Range, verifier.Ref)) }, 1, 64, SamplingSettings.Greedy, _cluster.Pipeline,
            Audit: new AuditOrder(CheckedCluster.Key, 0));
        _cluster.Tell(verifier, check);
        _cluster.Tell(verifier, new FeedHidden(check.Session, 1, 0, 1, true, new float[64], []), served.Stages[0].Ref);
        _cluster.Tell(verifier, new FeedHidden(check.Session, 1, 0, 1, true, new float[64], []), _cluster.Stranger);
        _cluster.Run();
        Assert.IsType<SessionOpened>(Assert.Single(_cluster.Heard));
    }

    [Theory]
    [InlineData(ProtocolLimits.ActivationBytes)]
    [InlineData(150)]
    public void What_a_hop_opens_is_what_it_signed_and_who_gets_it_goes_on_from_there(int messageBytes)
    {
        using var cluster = new CheckedCluster(model.Source) { MessageBytes = messageBytes };
        var served = Serve(cluster.AddRoute(2), 0.9f, 16, cluster);
        for (var hop = 0; hop < 2; hop++)
        {
            var receipts = served.Receipts(hop).Select(signed => signed.Receipt).ToArray();
            var verifier = cluster.Add(served.Stages[hop].Range);
            var opened = new List<CacheOpened>();
            foreach (var receipt in receipts.Take(3))
            {
                opened.AddRange(Opened(cluster, served, hop, receipt.Position, receipt.Rows));
                var values = opened.Where(message => message.Position >= receipt.Position).SelectMany(message => message.Values.ToArray()).ToArray();
                Assert.Equal(receipt.KvRoot, Merkle.Root([.. values.Chunk(opened[0].Width).Select(row => PositionDigest.OfRow(row))]));
            }

            // Positions of one layer have 64 values, so those of the two layers do not fit the smaller message.
            Assert.Equal(messageBytes < 1000 && hop == 1, opened.Any(message => message.Offset > 0));
            var check = Check(cluster, served, hop, verifier);
            cluster.Tell(verifier, check);
            foreach (var message in opened)
            {
                cluster.Tell(verifier, new FeedCache(check.Session, 1, message.Position, message.Offset, message.Rows, message.Values));
            }

            cluster.Run();
            Assert.Equal(opened.Select(message => message.Position), cluster.Of<HiddenReceived>(check.Session).Select(credit => credit.Position));
            cluster.Tell(verifier, hop == 0
                ? new FeedTokens(check.Session, 1, 48, [.. served.Tokens.Skip(48).Take(16)], false)
                : new FeedHidden(check.Session, 1, 48, 16, false, Enumerable.Range(48, 16).SelectMany(position => served.Kept(0, position, 1)).ToArray(), []));
            cluster.Run();
            var answer = Assert.Single(cluster.Of<UnitRecomputed>(check.Session));
            Assert.Equal((48, 16, PositionDigest.OfAnswer(CheckedCluster.Key, receipts[3].OutRoot, receipts[3].KvRoot)), (answer.Position, answer.Rows, answer.Answer));
        }
    }

    [Fact]
    public void What_is_asked_for_while_it_is_computed_is_opened_when_it_is()
    {
        var stages = _cluster.AddRoute(2);
        var served = _cluster.Open(stages);
        served.Prefill(Prompt(20), 20, runs: false);
        _cluster.Tell(stages[1], new FetchCache(served.Id, 1, 0, 0, 20));
        _cluster.Tell(stages[0], new FetchCache(served.Id, 1, 4, 0, 16));
        _cluster.Run();

        // The second hop had nothing yet when it was asked.
        Assert.Equal([(1, 0, 0), (0, 4, 16)], _cluster.Of<CacheOpened>(served.Id).Select(opened => (opened.HopIndex, opened.Position, opened.Rows)));
    }

    [Theory]
    [InlineData(-1, 0, 1)]
    [InlineData(0, 0, 0)]
    [InlineData(0, 0, -1)]
    [InlineData(0, -32, 1)]
    [InlineData(0, 1, 1)]
    [InlineData(0, 128, 1)]
    [InlineData(69, 0, 2)]
    [InlineData(int.MaxValue, 0, 1)]
    [InlineData(1, 0, int.MaxValue)]
    public void What_is_not_kept_is_not_opened(int position, int offset, int rows)
    {
        var served = Serve(_cluster.AddRoute(2, 4), 0, 16);
        foreach (var stage in served.Stages)
        {
            _cluster.Tell(stage, new FetchCache(served.Id, 1, position, offset, rows));
        }

        _cluster.Run();

        // The last hop has no layers and never anything to open.
        Assert.Equal([(0, 0, 64, 0), (1, 0, 128, 0), (2, 0, 0, 0)], _cluster.Of<CacheOpened>(served.Id).Select(opened => (opened.HopIndex, opened.Rows, opened.Width, opened.Values.Length)));
    }

    [Fact]
    public void A_verifier_takes_keys_and_values_in_their_order_from_its_pipeline_alone()
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        var opened = Opened(_cluster, served, 0, 0, 16).Single();
        var verifier = _cluster.Add(served.Stages[0].Range);
        var (check, row) = (Check(_cluster, served, 0, verifier), opened.Width / 2);
        _cluster.Tell(verifier, check);
        var part = new FeedCache(check.Session, 1, 0, 0, 1, opened.Values[..row]);
        foreach (var (message, from) in ((FeedCache, NamedRef)[])
        [
            (part, _cluster.Stranger),
            (part with { Epoch = 2 }, _cluster.Pipeline),
            (part with { Session = served.Id }, _cluster.Pipeline),
            (part, _cluster.Pipeline),
            (part, _cluster.Pipeline), // a double
            (part with { Offset = row, Values = opened.Values[row..opened.Width] }, _cluster.Pipeline),
            (part with { Position = 2 }, _cluster.Pipeline), // something is lost
            (part with { Position = 1, Offset = row }, _cluster.Pipeline),
        ])
        {
            _cluster.Tell(verifier, message, from);
        }

        _cluster.Tell(served.Stages[0], part with { Session = served.Id });
        _cluster.Run();
        Assert.Equal([0, 0], _cluster.Of<HiddenReceived>(check.Session).Select(credit => credit.Position));
        Assert.Equal([(2, 1), (1, 1)], _cluster.Of<StepRejected>(check.Session).Select(rejected => (rejected.Position, rejected.KvLength)));
    }

    [Theory]
    [InlineData("rows", 2, 0, 64)]
    [InlineData("limit", 300, 0, 64 * 300)]
    [InlineData("nothing", 1, 0, 0)]
    [InlineData("cut", 1, 0, 31)]
    [InlineData("more", 1, 0, 96)]
    [InlineData("not finite", 1, 0, 64)]
    public void Keys_and_values_that_fit_no_position_end_the_check(string what, int rows, int offset, int values)
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        var verifier = _cluster.Add(served.Stages[0].Range);
        var check = Check(_cluster, served, 0, verifier);
        _cluster.Tell(verifier, check);
        var block = new Half[values];
        block.AsSpan().Fill(what == "not finite" ? Half.NaN : Half.One);
        _cluster.Tell(verifier, new FeedCache(check.Session, 1, 0, offset, rows, block));
        _cluster.Run();
        Assert.Single(_cluster.Of<StepFailed>(check.Session));
        Assert.Equal(0, verifier.Budget.Reserved);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, 193)]
    [InlineData(69, 2)]
    [InlineData(int.MaxValue, 1)]
    [InlineData(1, int.MaxValue)]
    public void Rows_that_are_not_kept_are_answered_with_none(int position, int rows)
    {
        var served = Serve(_cluster.AddRoute(2), 0, 16);
        foreach (var stage in served.Stages)
        {
            _cluster.Tell(stage, new FetchKept(served.Id, 1, position, rows));
        }

        _cluster.Run();
        Assert.Equal([(0, 0, 0), (1, 0, 0)], _cluster.Of<KeptRows>(served.Id).Select(kept => (kept.HopIndex, kept.Rows, kept.Hidden.Length)));
    }

    [Fact]
    public void A_session_that_nobody_wants_signed_signs_nothing_and_says_so()
    {
        var served = _cluster.Open(_cluster.AddRoute(2), isSigned: false);
        served.Prefill(Prompt(20), 20);
        served.Seal();
        Assert.Empty(_cluster.Of<UnitSigned>(served.Id));
    }

    [Theory]
    [InlineData("no key", true, false)]
    [InlineData("both", true, true)]
    [InlineData("negative", false, true)]
    [InlineData("scored", false, true)]
    public void What_cannot_be_signed_or_checked_is_refused(string what, bool isSigned, bool isCheck)
    {
        var stage = _cluster.Add(LayerRange.Whole(3), hasKey: what != "no key");
        var route = new Route(TestSessions.Model, [new Hop(stage.Device, stage.Range, stage.Ref)]);
        _cluster.Tell(stage, new OpenSession(
            SessionId.New(), 1, route, 0, 20, SamplingSettings.Greedy, _cluster.Pipeline, Signed: isSigned, Scored: what == "scored" ? [1, 2] : [],
            Audit: isCheck ? new AuditOrder(CheckedCluster.Key, what == "negative" ? -1 : 0) : null));
        _cluster.Run();
        Assert.Equal(RefusalReason.Invalid, Assert.IsType<SessionRefused>(Assert.Single(_cluster.Heard)).Reason);
        Assert.Equal(0, stage.Budget.Reserved);
    }

    [Fact]
    public void A_session_is_not_opened_again_with_other_signing_or_another_check()
    {
        var stage = _cluster.Add(LayerRange.Whole(3));
        var open = new OpenSession(SessionId.New(), 1, new Route(TestSessions.Model, [new Hop(stage.Device, stage.Range, stage.Ref)]), 0, 20, SamplingSettings.Greedy, _cluster.Pipeline, Signed: true);
        foreach (var message in (OpenSession[])[open, open with { Signed = false }, open with { Signed = false, Audit = new AuditOrder(CheckedCluster.Key, 0) }])
        {
            _cluster.Tell(stage, message);
        }

        _cluster.Run();
        Assert.Equal(["SessionOpened", "SessionRefused", "SessionRefused"], _cluster.Heard.Select(message => message.GetType().Name));
    }

    private static SamplingSettings Sampling(float temperature) => new() { Temperature = temperature, Seed = 5, TopLogprobs = 3 };

    private static int[] Prompt(int count) => [.. Enumerable.Range(0, count).Select(i => ((i * 37) + 11) % CheckedModel.Shape.VocabularySize)];

    /// <summary>A prompt of 37 tokens in chunks and 33 tokens behind it, all of it signed.</summary>
    private CheckedCluster.Served Serve(CheckedCluster.Stage[] stages, float temperature, int chunk, CheckedCluster? cluster = null)
    {
        var served = (cluster ?? _cluster).Open(stages, Sampling(temperature));
        served.Prefill(Prompt(37), chunk);
        served.Decode(33);
        served.Seal();
        return served;
    }

    /// <summary>What a hop opens of some positions, asked for until all of it is there.</summary>
    private static List<CacheOpened> Opened(CheckedCluster cluster, CheckedCluster.Served served, int hop, int position, int rows)
    {
        var (opened, end, offset) = (new List<CacheOpened>(), position + rows, 0);
        while (position < end)
        {
            cluster.Tell(served.Stages[hop], new FetchCache(served.Id, served.Epoch, position, offset, end - position));
            cluster.Run();
            var next = cluster.Of<CacheOpened>(served.Id).Last();
            Assert.Equal((hop, position, offset), (next.HopIndex, next.Position, next.Offset));
            Assert.InRange(next.Rows, 1, end - position);
            opened.Add(next);
            offset += next.Values.Length;
            (position, offset) = offset >= next.Width ? (position + next.Rows, 0) : (position, offset);
        }

        return opened;
    }

    /// <summary>What opens a check of a hop on a device that holds the same.</summary>
    private static OpenSession Check(CheckedCluster cluster, CheckedCluster.Served served, int hop, CheckedCluster.Stage verifier) => new(
        SessionId.New(), 1, served.Route with { Hops = served.Route.Hops.SetItem(hop, new Hop(verifier.Device, verifier.Range, verifier.Ref)) }, hop, 200, Sampling(0.9f), cluster.Pipeline,
        Audit: new AuditOrder(CheckedCluster.Key, served.DrawFrom));

    private static void CheckChain(CheckedCluster.Served served, int hop, int from, int end)
    {
        var (previous, position, stage) = (served.Terms.Hash, from, served.Stages[hop]);
        foreach (var signed in served.Receipts(hop))
        {
            var receipt = signed.Receipt;
            Assert.Equal((served.Id, served.Epoch, hop, stage.Device, TestSessions.Model, stage.Range), (receipt.Session, receipt.Epoch, receipt.HopIndex, receipt.Device, receipt.Model, receipt.Range));
            Assert.Equal((position, previous), (receipt.Position, receipt.Previous));
            Assert.True(receipt.Position + receipt.Rows <= UnitCut.EndOf(receipt.Position), "It reaches across a multiple of 16.");
            Assert.True(DeviceKey.Verify(stage.PublicKey.Span, receipt.ToStatement(), signed.Signature.AsSpan()));
            Assert.False(DeviceKey.Verify(stage.PublicKey.Span, (receipt with { Rows = receipt.Rows + 1 }).ToStatement(), signed.Signature.AsSpan()));
            (position, previous) = (position + receipt.Rows, receipt.Hash);
        }

        Assert.Equal(end, position);
    }
}
