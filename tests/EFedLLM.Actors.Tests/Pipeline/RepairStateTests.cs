using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Tests.Configuration;
using EFedLLM.Actors.Tests.Layers;
using EFedLLM.Actors.Tests.Placement;
using EFedLLM.Actors.Trust;
using EFedLLM.Tests.Support;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Sampling;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>What a pipeline does when a hop of three is lost or leaves, event by event. The prompt has 10 tokens and is fed by 4; hop <c>n</c> is on node <c>n</c>.</summary>
public sealed class RepairStateTests
{
    private const int Prompt = 10;

    private static readonly NodeLimits Limits = TestLimits.Reference with
    {
        PromptChunk = 4,
        OpenDeadline = TimeSpan.FromSeconds(10),
        StepDeadline = TimeSpan.FromSeconds(30),
        ProbeDeadline = TimeSpan.FromSeconds(2),
        ReconnectDeadline = TimeSpan.FromSeconds(0.3),
        RepairTimeout = TimeSpan.FromSeconds(60),
    };

    private static readonly Lazy<ModelTokenizer> Tokenizer = new(() => ModelTokenizer.Load(SharedModels.Model("stories260K")));

    private static readonly ServedModel Model = Facts.Model('a', "tiny", 4);

    private static readonly Route Route = TestSessions.Route(TestSessions.Model, [TestSessions.First, TestSessions.Middle, TestSessions.Last], [Ref(0), Ref(1), Ref(2)]);

    private readonly GenerationPlan _plan;
    private readonly GenerationState _state;

    public RepairStateTests()
    {
        var settings = new GenerationSettings { MaxTokens = 20 };
        _plan = new GenerationPlan(PromptId.New(), SessionId.New(), Model, 512, Route, [.. Enumerable.Range(3, Prompt)], settings, Limits, default);
        _state = SharedModels.Root is null ? null! : new GenerationState(_plan, new AnswerText(Tokenizer.Value, settings, [2]));
    }

    [SharedTheory]
    [InlineData("gone", 0)]
    [InlineData("gone", 1)]
    [InlineData("gone", 2)]
    [InlineData("failed", 1)]
    [InlineData("silent", 1)]
    [InlineData("connection", 1)]
    [InlineData("more rows than fed", 2)]
    [InlineData("token of no vocabulary", 2)]
    [InlineData("times of other hops", 2)]
    [InlineData("excluded", 0)]
    [InlineData("excluded", 1)]
    [InlineData("excluded", 2)]
    public void A_hop_that_is_lost_is_replaced_and_the_others_go_on_with_what_they_have(string how, int lost)
    {
        var spare = Spare(lost);
        Run(tokens: 2, TestSessions.View(Route, Model, spare));
        var opened = Lose(how, lost);
        Assert.Contains(new CloseHop(Route.Hops[lost], opened[0].Epoch - 1), _all);
        var route = opened[0].Route;
        Assert.Equal(Route.Hops.SetItem(lost, spare).ToArray(), route.Hops.ToArray());
        Assert.Equal([0, 1, 2], opened.Select(open => open.Hop));
        Assert.All(opened, open => Assert.Equal(opened[0].Epoch, open.Epoch));

        // The others have the prompt and one token; the second token, that is position 11, was fed and not computed everywhere.
        for (var hop = 0; hop < 3; hop++)
        {
            Answer(route, opened[0].Epoch, hop, hop == lost ? default : new HopStock(11, 0));
        }

        var resumed = _all.OfType<ResumeRoute>().Single().Message;
        Assert.Equal(lost == 0 ? [0, 11, 11] : lost == 1 ? [11, 0, 11] : new[] { 11, 11, 0 }, resumed.Starts.ToArray());
        Assert.Equal((12, opened[0].Epoch), (resumed.Length, resumed.Epoch));
        var fed = _all.OfType<FeedRoute>().Select(feed => feed.Message).ToArray();
        Assert.Equal(lost == 0 ? ["0+4", "4+4", "8+4 draw"] : ["11+1 draw"], fed.Select(Fed));
        Assert.Equal([51], fed[^1].Tokens.AsSpan()[^1..].ToArray());

        // What the head computes again is nothing new to whoever asked, and no draw of the first epoch counts any more.
        Assert.Empty(Hear(Drawn(1, 12, 77), Route.Hops[2].Shard));
        if (lost == 2)
        {
            Assert.Empty(Hear(new RowsComputed(_plan.Session, opened[0].Epoch, 0, 8, [1, 1, 1]), route.Hops[2].Shard).OfType<TellClient>());
        }

        var next = Hear(Drawn(opened[0].Epoch, 12, 60), route.Hops[2].Shard).ToArray();
        Assert.Equal((2, 60), next.OfType<TellClient>().Select(tell => tell.Event).OfType<TokenGenerated>().Select(token => (token.Index, token.Choice.Id)).Single());
        Assert.Equal("12+1 draw", Fed(next.OfType<FeedRoute>().Single().Message));

        var reports = _state.Cancel(At(9)).OfType<ReportWork>().Select(work => (work.Report.Device, work.Report.Outcome, work.Report.Tokens)).ToHashSet();
        WorkOutcome outcome = how switch { "gone" or "silent" or "connection" => WorkOutcome.TimedOut, _ => WorkOutcome.Failed };
        Assert.Equal([.. route.Hops.Select(hop => (hop.Device, WorkOutcome.Served, 12)), (Route.Hops[lost].Device, outcome, 11)], reports);
    }

    [SharedFact]
    public void A_hop_that_is_excluded_while_the_route_opens_is_no_part_of_the_next_one()
    {
        Do(_state.Look(TestSessions.View(Route, Model), At(0)));
        Do(_state.Start(At(0)));
        _all.Clear();
        Do(_state.Look(Excluding(TestSessions.View(Route, Model), Route.Hops[1].Device), At(1)));
        Assert.Equal(3, _all.OfType<CloseHop>().Count());
        Assert.Equal(Route.Hops[1].Device, _all.OfType<EndPipeline>().Single().Refusal!.Device);
    }

    [SharedFact]
    public void Two_hops_that_are_excluded_at_once_are_left_at_once_and_without_others_the_session_waits()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        var view = Excluding(TestSessions.View(Route, Model), Route.Hops[0].Device, Route.Hops[2].Device);
        Do(_state.Look(view, At(3)));
        Assert.Equal([Route.Hops[0], Route.Hops[2]], _all.OfType<CloseHop>().Select(close => close.Hop).OrderBy(hop => hop.Range.First));
        Assert.Empty(_all.OfType<OpenHop>());
        Assert.Empty(_state.Look(view, At(4)));
        var failed = Assert.IsType<GenerationFailed>(_state.DeadlinePassed(At(63)).OfType<TellClient>().Single().Event);
        Assert.Contains("Excluded, because checks found wrong results", failed.Message, StringComparison.Ordinal);
    }

    [SharedFact]
    public void What_was_computed_under_a_standing_that_is_only_in_doubt_goes_on()
    {
        Run(tokens: 1, TestSessions.View(Route, Model, Spare(1)));
        var view = TestSessions.View(Route, Model, Spare(1));
        Assert.Empty(_state.Look(Standing(view, TrustTier.Quarantined, Route.Hops[1].Device), At(3)));
    }

    [SharedFact]
    public void Without_a_cover_it_waits_for_one_and_goes_on_when_it_is_there()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        Do(_state.HopGone(Route.Hops[1].Shard, At(3)));
        Assert.Empty(_all.OfType<OpenHop>());
        Assert.Equal(At(63), _state.Deadline);
        Assert.Empty(Look(new Route(Model.Model, [Route.Hops[0], Route.Hops[2]]), At(10)));

        // Two devices share the model anew: no shard is left of the route.
        Hop[] hops = [new(Route.Hops[0].Device, new LayerRange(0, 3), Ref(0, "larger")), new(Route.Hops[2].Device, new LayerRange(3, 6), Ref(2, "larger"))];
        var opened = Look(new Route(Model.Model, [.. hops]), At(20)).ToArray();
        Assert.Equal(hops, opened.OfType<OpenHop>().First().Route.Hops.ToArray());
        Assert.Equal([Route.Hops[0], Route.Hops[2]], opened.OfType<CloseHop>().Select(close => close.Hop).OrderBy(hop => hop.Range.First));
        _all.Clear();
        Answer(opened.OfType<OpenHop>().First().Route, 2, 0, default);
        Answer(opened.OfType<OpenHop>().First().Route, 2, 1, default);
        Assert.Equal([0, 0], _all.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
        Assert.Equal(["0+4", "4+4", "8+3 draw"], _all.OfType<FeedRoute>().Select(feed => Fed(feed.Message)));
        Assert.Empty(_all.OfType<TellClient>());
    }

    [SharedFact]
    public void Without_a_cover_in_time_the_error_names_the_missing_layers()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        Do(_state.HopGone(Route.Hops[1].Shard, At(3)));
        Look(new Route(Model.Model, [Route.Hops[0], Route.Hops[2]]), At(4));
        var last = _state.DeadlinePassed(At(63)).ToArray();
        var failed = Assert.IsType<GenerationFailed>(last.OfType<TellClient>().Single().Event);
        Assert.Equal(GenerationError.HopLost, failed.Error);
        Assert.Contains("No reachable device serves layers 1-2 of tiny", failed.Message, StringComparison.Ordinal);
        Assert.Contains($"device {Route.Hops[1].Device.Short}", failed.Message, StringComparison.Ordinal);
        Assert.Equal(2, last.OfType<CloseHop>().Count());
        Assert.Equal(new EndPipeline(null), last[^1]);
    }

    [SharedFact]
    public void A_message_that_was_lost_costs_nobody_anything()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        _all.Clear();
        Do(Hear(new StepRejected(_plan.Session, 1, 1, 11, 10), Route.Hops[1].Shard));
        Assert.Equal(Route, _all.OfType<OpenHop>().First().Route);
        Assert.Empty(_all.OfType<CloseHop>());
        Answer(Route, 2, 0, new HopStock(11, 0));
        Answer(Route, 2, 1, new HopStock(10, 10));
        Answer(Route, 2, 2, new HopStock(10, 10));
        Assert.Equal([11, 10, 10], _all.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
        Assert.Empty(_all.OfType<FeedRoute>());
        Do(Hear(Drawn(2, 11, 60), Route.Hops[2].Shard));
        Assert.All(_state.Cancel(At(9)).OfType<ReportWork>(), work => Assert.Equal(WorkOutcome.Served, work.Report.Outcome));
    }

    [SharedFact]
    public void A_hop_that_is_silent_is_waited_for_where_nobody_could_take_its_place()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        _all.Clear();
        Do(_state.DeadlinePassed(At(40)));
        Answer(Route, 1, 0, default);
        Answer(Route, 1, 2, default);
        _all.Clear();
        Do(_state.DeadlinePassed(At(42)));
        Assert.Empty(_all.OfType<CloseHop>());
        Assert.Equal([2, 2, 2], _all.OfType<OpenHop>().Select(open => open.Epoch));
        for (var hop = 0; hop < 3; hop++)
        {
            Answer(Route, 2, hop, new HopStock(11, 0));
        }

        Assert.Equal([11, 11, 10], _all.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
        Assert.All(_state.Cancel(At(43)).OfType<ReportWork>(), work => Assert.Equal(WorkOutcome.Served, work.Report.Outcome));
    }

    [SharedFact]
    public void A_hop_to_which_things_are_lost_again_and_again_is_replaced_where_another_is()
    {
        var spare = Spare(1);
        Run(tokens: 0, TestSessions.View(Route, Model, spare));
        for (var (epoch, token) = (1, 0); epoch < 8; epoch++, token++)
        {
            Do(Hear(new StepRejected(_plan.Session, epoch, 1, 9, 8), Route.Hops[1].Shard));
            Assert.Equal(Route, _all.OfType<OpenHop>().Last().Route);
            for (var hop = 0; hop < 3; hop++)
            {
                Answer(Route, epoch + 1, hop, default);
            }

            Do(Hear(Drawn(epoch + 1, Prompt + token, 50), Route.Hops[2].Shard));
        }

        Do(Hear(new StepRejected(_plan.Session, 8, 1, 9, 8), Route.Hops[1].Shard));
        Assert.Equal(spare, _all.OfType<OpenHop>().Last().Route.Hops[1]);
    }

    [SharedFact]
    public void A_death_during_a_repair_is_repaired_the_same_way()
    {
        var (first, second) = (Spare(1), new Hop(TestSessions.Device(8), TestSessions.Middle, Ref(8)));
        Run(tokens: 1, TestSessions.View(Route, Model, first, second));
        Do(_state.HopGone(Route.Hops[1].Shard, At(3)));
        Assert.Equal(second, _all.OfType<OpenHop>().Last().Route.Hops[1]);
        _all.Clear();
        Do(_state.HopGone(second.Shard, At(3)));
        Assert.Equal((first, 3), (_all.OfType<OpenHop>().Last().Route.Hops[1], _all.OfType<OpenHop>().Last().Epoch));
    }

    [SharedFact]
    public void A_hop_that_does_not_open_is_asked_again_and_then_replaced()
    {
        var spare = Spare(1);
        Do(_state.Look(TestSessions.View(Route, Model, spare), default));
        Do(_state.Start(At(0)));
        Answer(Route, 1, 0, default);
        Answer(Route, 1, 2, default);
        Assert.Equal(At(2), _state.Deadline);
        Assert.Equal([1], _state.DeadlinePassed(At(2)).Cast<OpenHop>().Select(open => open.Hop));
        for (var second = 4; second < 10; second += 2)
        {
            _state.DeadlinePassed(At(second));
        }

        Do(_state.DeadlinePassed(At(10)));
        Assert.Equal(spare, _all.OfType<OpenHop>().Last().Route.Hops[1]);
        Assert.Empty(_all.OfType<TellClient>());
        Answer(_all.OfType<OpenHop>().Last().Route, 2, 0, default);
        Answer(_all.OfType<OpenHop>().Last().Route, 2, 1, default);
        Answer(_all.OfType<OpenHop>().Last().Route, 2, 2, default);
        Assert.IsType<GenerationStarted>(_all.OfType<TellClient>().Single().Event);
        Assert.Equal([0, 0, 0], _all.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
    }

    [SharedFact]
    public void What_no_hop_can_compute_ends_soon_with_the_reason()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        Do(Hear(new StepFailed(_plan.Session, 1, 1, "an activation is not a number."), Route.Hops[1].Shard));
        Assert.Equal(Route, _all.OfType<OpenHop>().Last().Route);
        var last = Hear(new StepFailed(_plan.Session, 2, 1, "an activation is not a number."), Route.Hops[1].Shard).ToArray();
        Assert.Contains("not a number", Assert.IsType<GenerationFailed>(last.OfType<TellClient>().Single().Event).Message, StringComparison.Ordinal);
    }

    [SharedFact]
    public void Who_sent_what_the_next_hop_does_not_take_is_left_and_the_next_hop_is_not_blamed()
    {
        var spare = Spare(0);
        Run(tokens: 1, TestSessions.View(Route, Model, spare));
        Do(Hear(new StepFailed(_plan.Session, 1, 1, "not finite.", Refused: 10), Route.Hops[1].Shard));
        Assert.Equal([spare, Route.Hops[1], Route.Hops[2]], _all.OfType<OpenHop>().Last().Route.Hops.ToArray());
        var reports = _state.Cancel(At(9)).OfType<ReportWork>().Select(work => (work.Report.Device, work.Report.Outcome)).ToArray();
        Assert.Equal([Route.Hops[0].Device], reports.Where(report => report.Outcome != WorkOutcome.Served).Select(report => report.Device));
        Assert.Equal(3, reports.Length);
    }

    [SharedTheory]
    [InlineData(0, 3)]
    [InlineData(1, 11)]
    public void A_hop_that_refuses_what_it_was_never_given_is_left_itself(int hop, int refused)
    {
        Run(tokens: 1, TestSessions.View(Route, Model, Spare(hop)));
        Do(Hear(new StepFailed(_plan.Session, 1, hop, "not finite.", refused), Route.Hops[hop].Shard));
        Assert.Equal(Spare(hop), _all.OfType<OpenHop>().Last().Route.Hops[hop]);
    }

    [SharedFact]
    public void A_hop_that_leaves_is_left_between_two_steps_when_another_is_ready_and_nobody_is_blamed()
    {
        var spare = Spare(1);
        Run(tokens: 1, TestSessions.View(Route, Model));
        _all.Clear();
        Do(Hear(new SessionMoving(_plan.Session, 1, 1), Route.Hops[1].Shard));
        Assert.Empty(_all);

        // As soon as another holds the layers it is opened; the session goes on meanwhile.
        var view = TestSessions.View(new Route(Model.Model, [Route.Hops[0], spare, Route.Hops[2]]), Model);
        var open = Assert.IsType<OpenHop>(Assert.Single(_state.Look(view, At(5))));
        Assert.Equal((1, 2, spare), (open.Hop, open.Epoch, open.Route.Hops[1]));
        Assert.Equal("11+1 draw", Fed(Hear(Drawn(1, 11, 51), Route.Hops[2].Shard).OfType<FeedRoute>().Single().Message));
        Assert.Empty(Hear(new SessionOpened(_plan.Session, 2, 1), spare.Shard));
        Do(Hear(Drawn(1, 12, 52), Route.Hops[2].Shard));
        Assert.Equal([0, 2], _all.OfType<OpenHop>().Select(open => open.Hop));
        Assert.Equal(new CloseHop(Route.Hops[1], 2), _all.OfType<CloseHop>().Single());
        Answer(open.Route, 2, 0, new HopStock(12, 0));
        Answer(open.Route, 2, 2, new HopStock(12, 12));
        Assert.Equal([12, 0, 12], _all.OfType<ResumeRoute>().Single().Message.Starts.ToArray());
        Assert.Equal("12+1 draw", Fed(_all.OfType<FeedRoute>().Single().Message));
        Assert.Equal(4, _state.Cancel(At(9)).OfType<ReportWork>().Count(work => work.Report.Outcome == WorkOutcome.Served));
    }

    [SharedFact]
    public void A_session_that_waits_gives_a_leaving_hop_free()
    {
        Run(tokens: 1, TestSessions.View(Route, Model));
        Do(_state.HopGone(Route.Hops[1].Shard, At(3)));
        _all.Clear();
        Do(Hear(new SessionMoving(_plan.Session, 1, 0), Route.Hops[0].Shard));
        Assert.Equal(new CloseHop(Route.Hops[0], 1), Assert.Single(_all));
    }

    [Fact]
    public void As_little_as_possible_is_computed_again()
    {
        Check([(9, 0), (9, 0), (9, 9)], 10, [9, 9, 9]);
        Check([(10, 0), (10, 0), (10, 10)], 10, [10, 10, 9]);
        Check([(10, 0), (0, 0), (10, 10)], 10, [10, 0, 9]);
        Check([(10, 4), (0, 0), (10, 10)], 10, [0, 0, 9]);
        Check([(10, 4), (5, 5), (10, 10)], 10, [10, 5, 9]);
        Check([(0, 0), (10, 0), (10, 10)], 10, [0, 10, 9]);
        Check([(10, 10)], 10, [9]);

        static void Check((int, int)[] hops, int length, int[] starts)
            => Assert.Equal(starts, ReplayPlan.Starts([.. hops.Select(hop => new HopStock(hop.Item1, hop.Item2))], length, length - 1).ToArray());
    }

    private readonly List<PipelineCommand> _all = [];

    private OpenHop[] Lose(string how, int hop)
    {
        _all.Clear();
        var shard = Route.Hops[hop].Shard;
        switch (how)
        {
            case "gone":
                Do(_state.HopGone(shard, At(3)));
                break;
            case "failed":
                Do(Hear(new StepFailed(_plan.Session, 1, hop, "no memory."), shard));
                break;
            case "silent":
                Do(_state.DeadlinePassed(At(40)));
                Answer(Route, 1, 0, default);
                Answer(Route, 1, 2, default);
                _all.Clear();
                Do(_state.DeadlinePassed(At(42)));
                break;
            case "connection":
                Do(_state.Disconnected(shard.Path.Address, At(3)));
                Assert.Equal(At(3.3), _state.Deadline);
                Answer(Route, 2, 0, new HopStock(11, 0));
                Answer(Route, 2, 2, new HopStock(11, 11));
                _all.Clear();
                Do(_state.DeadlinePassed(At(3.3)));
                break;
            case "excluded":
                Do(_state.Look(Excluding(TestSessions.View(Route, Model, Spare(hop)), Route.Hops[hop].Device), At(3)));
                Assert.Contains("is excluded from the cluster", _all.OfType<Note>().First().Text, StringComparison.Ordinal);
                break;
            case "more rows than fed":
                Do(Hear(new RowsComputed(_plan.Session, 1, 11, 3, [1, 1, 1]), shard));
                break;
            case "token of no vocabulary":
                Do(Hear(Drawn(1, 12, 512), shard));
                break;
            default:
                Do(Hear(Drawn(1, 12, 60) with { HopMicroseconds = [1] }, shard));
                break;
        }

        return [.. _all.OfType<OpenHop>()];
    }

    private void Run(int tokens, ClusterView view)
    {
        Do(_state.Look(view, At(0)));
        Do(_state.Start(At(0)));
        for (var hop = 0; hop < 3; hop++)
        {
            Answer(Route, 1, hop, default);
        }

        for (var token = 0; token < tokens; token++)
        {
            Do(Hear(Drawn(1, Prompt + token, 50 + token), Route.Hops[2].Shard));
        }

        _all.Clear();
    }

    private void Answer(Route route, int epoch, int hop, HopStock stock)
        => Do(Hear(new SessionOpened(_plan.Session, epoch, hop, stock.KvLength, stock.KeptFrom), route.Hops[hop].Shard));

    private IReadOnlyList<PipelineCommand> Hear(ISessionMessage message, IActorRef sender) => _state.Hear(message, sender, At(3));

    private PipelineCommand[] Look(Route served, TimeSpan now) => [.. _state.Look(TestSessions.View(served, Model), now)];

    private void Do(IReadOnlyList<PipelineCommand> commands) => _all.AddRange(commands);

    private TokenSampled Drawn(int epoch, int position, int token) => new(_plan.Session, epoch, position, new TokenChoice(token, -1, []), [1, 1, 1]);

    private static string Fed(FeedTokens message) => $"{message.Position}+{message.Tokens.Length}{(message.Sample ? " draw" : "")}";

    private static ClusterView Excluding(ClusterView view, params DeviceId[] devices) => Standing(view, TrustTier.Excluded, devices);

    private static ClusterView Standing(ClusterView view, TrustTier tier, params DeviceId[] devices) => view with
    {
        Standings = devices.Select(device => new DeviceStanding(device, tier, TrustTier.Probation, 20, 1, view.Self)).ToImmutableDictionary(standing => standing.Device),
    };

    private static Hop Spare(int hop) => new(TestSessions.Device(9), Route.Hops[hop].Range, Ref(9));

    private static NamedRef Ref(int node, string name = "shard") => new(name, new Address("akka.tcp", "test", "127.0.0.1", 100 + node));

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);
}
