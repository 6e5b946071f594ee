using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.CommandLine;

/// <summary>The options that say how an answer is generated.</summary>
internal sealed class GenerationOptions
{
    private const int MostTokens = 1 << 20;
    private const int MostStops = 16;
    private const int MostStopCharacters = 256;

    private readonly Option<int?> _maxTokens = new Option<int?>("--max-tokens", "-n") { Description = "Most tokens to generate. Default: 256.", HelpName = "n" }.Between(1, MostTokens);
    private readonly Option<float> _temperature = new("--temperature") { Description = "0 always takes the most likely token; up to 2 makes answers freer.", HelpName = "0-2", DefaultValueFactory = _ => 0 };
    private readonly Option<float> _topP = new("--top-p") { Description = "Draw only from the most likely tokens whose probabilities add up to this.", HelpName = "0-1", DefaultValueFactory = _ => 1 };
    private readonly Option<int?> _topK = new Option<int?>("--top-k") { Description = "Draw only from so many of the most likely tokens. Default: 0, all.", HelpName = "n" }.Between(0, int.MaxValue);
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seeds the draws: the same seed gives the same answer.", HelpName = "n", DefaultValueFactory = _ => 0 };
    private readonly Option<string[]> _stop = new("--stop") { Description = "A text at which the answer ends; may be given several times.", HelpName = "text" };
    private readonly Option<bool> _verified = new("--verified") { Description = "Tell only what other devices or the gateway have recomputed; an answer that cannot be checked fails." };
    private readonly Option<int?> _drafts = new Option<int?>("--drafts") { Description = "Most tokens that are guessed ahead in one step, from what is there already; 0 is none. The answer is the same. Default: what the gateway allows.", HelpName = "n" }.Between(0, ProtocolLimits.Drafts);
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after an end token, until --max-tokens." };

    /// <summary>Creates the options and adds them to a command.</summary>
    /// <param name="command">The command.</param>
    public GenerationOptions(Command command)
    {
        foreach (Option option in new Option[] { _maxTokens, _temperature, _topP, _topK, _seed, _stop, _ignoreEos, _verified, _drafts })
        {
            command.Add(option);
        }
    }

    /// <summary>The request that the options describe, still without a prompt.</summary>
    /// <exception cref="UserErrorException">A value is out of bounds.</exception>
    public GenerateRequest Read(ParseResult parse)
    {
        var temperature = parse.GetValue(_temperature);
        var topP = parse.GetValue(_topP);
        var stop = parse.GetValue(_stop) ?? [];
        Require(temperature is >= 0 and <= 2, "--temperature must be from 0 to 2", temperature);
        Require(topP is > 0 and <= 1, "--top-p must be above 0 and at most 1", topP);
        if (stop.Length > MostStops || stop.Any(text => text.Length is 0 or > MostStopCharacters))
        {
            throw new UserErrorException($"--stop may be given {MostStops} times, each with 1 to {MostStopCharacters} characters.", ExitCodes.Usage);
        }

        return new GenerateRequest
        {
            MaxTokens = parse.GetValue(_maxTokens) ?? 256,
            Temperature = temperature,
            TopP = topP,
            TopK = parse.GetValue(_topK) ?? 0,
            Seed = parse.GetValue(_seed),
            Stop = stop.Length > 0 ? stop : null,
            IgnoreEos = parse.GetValue(_ignoreEos),
            Verified = parse.GetValue(_verified),
            Drafts = parse.GetValue(_drafts),
        };
    }

    private static void Require(bool fits, string rule, float value)
    {
        if (!fits)
        {
            throw new UserErrorException(string.Create(CultureInfo.InvariantCulture, $"{rule}; it is {value}."), ExitCodes.Usage);
        }
    }
}
