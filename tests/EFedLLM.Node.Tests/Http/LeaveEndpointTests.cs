using EFedLLM.Node.Api;

namespace EFedLLM.Node.Tests.Http;

public class LeaveEndpointTests
{
    private static readonly string Device = new('a', 32);

    [Theory]
    [InlineData("zz", 400)]
    [InlineData("aa", 400)]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 400)]
    [InlineData("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 404)]
    [InlineData("cccccccccccccccccccccccccccccccc", 409)]
    [InlineData("dddddddddddddddddddddddddddddddd", 503)]
    public async Task A_device_that_cannot_be_asked_to_leave_gives_a_reason(string device, int expected)
    {
        await using var server = await TestServer.StartAsync(cluster: new Leavers());
        var (status, body) = await server.PostAsync($"efedllm/v1/devices/{device}/leave", "");
        Assert.Equal(expected, status);
        Assert.NotEqual("", body.GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_device_that_leaves_says_how_long_it_takes()
    {
        await using var server = await TestServer.StartAsync(cluster: new Leavers());
        var (status, body) = await server.PostAsync($"efedllm/v1/devices/{Device.ToUpperInvariant()}/leave", "");
        Assert.Equal((200, Device, 7), (status, body.GetProperty("device").GetString(), body.GetProperty("seconds").GetInt32()));
    }

    private sealed class Leavers : IClusterApi
    {
        public Task<ClusterFacts> ReadClusterAsync(CancellationToken cancellation) => Task.FromException<ClusterFacts>(new NotSupportedException());

        public Task<PlanFacts> ReadPlanAsync(PlanQuestion question, CancellationToken cancellation) => Task.FromException<PlanFacts>(new NotSupportedException());

        public Task<LedgerFacts> ReadLedgerAsync(CancellationToken cancellation) => Task.FromException<LedgerFacts>(new NotSupportedException());

        public Task<LedgerDevice?> ReadLedgerAsync(string device, CancellationToken cancellation) => Task.FromException<LedgerDevice?>(new NotSupportedException());

        public Task<LeaveFacts?> LeaveAsync(string device, CancellationToken cancellation) => device[0] switch
        {
            'a' => Task.FromResult<LeaveFacts?>(new LeaveFacts(device, 7)),
            'c' => Task.FromException<LeaveFacts?>(new InvalidOperationException("it does not want to")),
            'd' => Task.FromException<LeaveFacts?>(new TimeoutException()),
            _ => Task.FromResult<LeaveFacts?>(null),
        };
    }
}
