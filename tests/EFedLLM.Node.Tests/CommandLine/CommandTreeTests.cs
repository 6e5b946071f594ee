using System.CommandLine;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.CommandLine;

public class CommandTreeTests
{
    [Fact]
    public void Every_command_option_and_argument_is_described()
    {
        foreach (var command in All(EfedllmCommand.Create()))
        {
            Assert.False(string.IsNullOrWhiteSpace(command.Description), command.Name);
            Assert.All(command.Options, option => Assert.False(string.IsNullOrWhiteSpace(option.Description), $"{command.Name} {option.Name}"));
            Assert.All(command.Arguments, argument => Assert.False(string.IsNullOrWhiteSpace(argument.Description), $"{command.Name} {argument.Name}"));
        }
    }

    [Fact]
    public void No_two_options_of_a_command_share_a_name()
    {
        foreach (var command in All(EfedllmCommand.Create()))
        {
            var names = command.Options.SelectMany(option => option.Aliases.Append(option.Name)).ToList();
            Assert.Equal(names.Distinct(StringComparer.Ordinal), names);
        }
    }

    [Fact]
    public async Task A_command_line_without_sense_ends_with_the_code_for_usage() =>
        Assert.Equal(ExitCodes.Usage, await EfedllmCommand.RunAsync(["cluster", "shwo"]));

    private static IEnumerable<Command> All(Command command) => command.Subcommands.SelectMany(All).Prepend(command);
}
