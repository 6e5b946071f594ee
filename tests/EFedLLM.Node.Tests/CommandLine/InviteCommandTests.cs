using EFedLLM.Actors.Membership;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class InviteCommandTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    [Theory]
    [InlineData("60s", 60)]
    [InlineData("30m", 1800)]
    [InlineData(" 1.5H ", 5400)]
    [InlineData("30d", 2_592_000)]
    public void A_time_is_read_as_people_write_it(string text, double seconds) => Assert.Equal(seconds, Lifetime.Parse(text, "--ttl", Minute, Month).TotalSeconds);

    [Theory]
    [InlineData("")]
    [InlineData("h")]
    [InlineData("1")]
    [InlineData("59s")]
    [InlineData("31d")]
    [InlineData("-1h")]
    [InlineData("1e9d")]
    [InlineData("NaNh")]
    [InlineData("1w")]
    public void A_time_that_is_none_is_refused(string text)
        => Assert.Equal(ExitCodes.Usage, Assert.Throws<UserErrorException>(() => Lifetime.Parse(text, "--ttl", Minute, Month)).ExitCode);

    [Theory]
    [InlineData("invite", "--ttl", "never")]
    [InlineData("invite", "--owner", "")]
    [InlineData("invite", "--owner", "a\tb")]
    [InlineData("invite", "--owner", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("invite", "revoke")]
    [InlineData("invite", "revoke", "xyz")]
    [InlineData("invite", "revoke", "abc")]
    [InlineData("cluster", "evict")]
    [InlineData("cluster", "readmit")]
    [InlineData("join", "nonsense")]
    [InlineData("join", "AQ")]
    [InlineData("join", "host:port")]
    [InlineData("up", "--ca", "x", "--enrol-port", "70000")]
    public async Task A_command_line_without_sense_is_refused(params string[] arguments) => Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(arguments));

    [Fact]
    public async Task A_device_that_was_never_invited_and_is_told_nothing_asks_whom_to_join()
    {
        var data = Directory.CreateTempSubdirectory("efedllm-join-").FullName;
        try
        {
            Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["join", "--data", data]));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public void An_invite_and_an_address_are_told_apart()
    {
        Assert.Equal(["[::1]:2", "127.0.0.1:1"], JoinTarget.Read("[::1]:2", ["127.0.0.1:1"]).Seeds);
        var invite = new InviteToken("0123456789abcdef", [.. new byte[InviteToken.SecretBytes]], new string('0', 64), new string('1', 64), DateTimeOffset.UnixEpoch, ["a:1"], ["b:2"]);
        Assert.Equal(invite, JoinTarget.Read(invite.ToString(), []).Invite);
        Assert.Contains("incomplete", Assert.Throws<UserErrorException>(() => JoinTarget.Read(invite.ToString()[..^1], [])).Message, StringComparison.Ordinal);
        Assert.Empty(JoinTarget.Read(null, []).Seeds);
    }
}
