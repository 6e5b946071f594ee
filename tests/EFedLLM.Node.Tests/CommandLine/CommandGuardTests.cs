using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class CommandGuardTests
{
    public static TheoryData<Exception, int> Failures { get; } = new()
    {
        { new UserErrorException("No.", ExitCodes.NotReachable), ExitCodes.NotReachable },
        { new InvalidDataException("No."), ExitCodes.Failed },
        { new IOException("No."), ExitCodes.Failed },
        { new NotSupportedException("No."), ExitCodes.Failed },
        { new ArgumentException("No.", "name"), ExitCodes.Usage },
        { new AggregateException(new InvalidDataException("No.")), ExitCodes.Failed },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public void A_failure_is_one_sentence_and_a_code(Exception error, int code) =>
        Assert.Equal(("No.", code), CommandGuard.Explain(error, default));

    [Fact]
    public void Whoever_ends_a_command_gets_no_message()
    {
        using var ended = new CancellationTokenSource();
        ended.Cancel();
        Assert.Equal((null, ExitCodes.Interrupted), CommandGuard.Explain(new OperationCanceledException(), ended.Token));
    }

    [Fact]
    public void What_nobody_expected_names_its_kind()
    {
        var (message, code) = CommandGuard.Explain(new FormatException("odd"), default);
        Assert.Contains("FormatException", message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, code);
    }
}
