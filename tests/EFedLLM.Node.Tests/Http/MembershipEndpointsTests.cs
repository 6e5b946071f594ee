using EFedLLM.Actors.Membership;
using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.Http;

public class MembershipEndpointsTests
{
    private static readonly InviteRequest Hour = new("a", 3600);

    [Fact]
    public async Task A_gateway_without_an_authority_says_how_to_start_one_with_it()
    {
        var membership = new ScriptedMembership { WhyNot = "start it with --ca" };
        await using var server = await TestServer.StartAsync(membership: membership);
        await using var client = new GatewayHttpClient(server.Address);
        foreach (var ask in Everything(client))
        {
            Assert.Equal("start it with --ca", (await Assert.ThrowsAsync<UserErrorException>(ask)).Message);
        }

        Assert.Empty(membership.Asked);
        Assert.Empty(await client.ReadEvictedAsync(default));
    }

    [Fact]
    public async Task Only_an_operator_invites_and_evicts()
    {
        var membership = new ScriptedMembership();
        await using var server = await TestServer.StartAsync(membership: membership);
        foreach (var token in new[] { null, "", "wrong", ScriptedMembership.Token[1..] })
        {
            await using var stranger = new GatewayHttpClient(server.Address, null, token is "" ? null : token);
            foreach (var ask in Everything(stranger))
            {
                Assert.Contains("--ca", (await Assert.ThrowsAsync<UserErrorException>(ask)).Message, StringComparison.Ordinal);
            }
        }

        Assert.Empty(membership.Asked);
        await using var client = new GatewayHttpClient(server.Address, null, ScriptedMembership.Token);
        foreach (var ask in Everything(client))
        {
            await ask();
        }

        Assert.Equal(["invite", "list", "revoke", "evict", "readmit"], membership.Asked);
    }

    [Theory]
    [InlineData("invites", "{}")]
    [InlineData("invites", "null")]
    [InlineData("invites", """{"seconds":59}""")]
    [InlineData("invites", """{"seconds":"NaN"}""")]
    [InlineData("invites", """{"seconds":1e300}""")]
    [InlineData("invites", """{"seconds":3600,"name":""}""")]
    [InlineData("invites", """{"seconds":3600,"name":" a"}""")]
    [InlineData("invites", """{"seconds":3600,"name":"a\u0007"}""")]
    [InlineData("invites", """{"seconds":3600,"owner":""}""")]
    [InlineData("invites", """{"seconds":3600,"owner":"a "}""")]
    [InlineData("invites", """{"seconds":3600,"owner":"a\u202eb"}""")]
    [InlineData("invites", """{"seconds":3600,"owner":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}""")]
    [InlineData("cluster/evict", "{}")]
    [InlineData("cluster/evict", """{"device":""}""")]
    [InlineData("cluster/evict", """{"device":"a","key":"abc"}""")]
    [InlineData("cluster/readmit", """{"device":null}""")]
    public async Task A_request_without_sense_is_refused(string path, string body)
    {
        var membership = new ScriptedMembership();
        await using var server = await TestServer.StartAsync(membership: membership);
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", ScriptedMembership.Token);
        var (status, answer) = await server.PostAsync($"/efedllm/v1/{path}", body);
        Assert.Equal(400, status);
        Assert.NotEmpty(answer.GetProperty("error").GetProperty("message").GetString()!);
        Assert.Empty(membership.Asked);
    }

    [Fact]
    public async Task An_invite_that_is_not_there_is_told()
    {
        await using var server = await TestServer.StartAsync(membership: new ScriptedMembership());
        await using var client = new GatewayHttpClient(server.Address, null, ScriptedMembership.Token);
        Assert.Contains("invite list", (await Assert.ThrowsAsync<UserErrorException>(() => client.RevokeInviteAsync("ffff", default))).Message, StringComparison.Ordinal);
    }

    private static Func<Task>[] Everything(GatewayHttpClient client) =>
    [
        () => client.InviteAsync(Hour, default),
        () => client.ReadInvitesAsync(default),
        () => client.RevokeInviteAsync("0123", default),
        () => client.EvictAsync(new EvictRequest("a"), default),
        () => client.ReadmitAsync(new EvictRequest("a"), default),
    ];
}
