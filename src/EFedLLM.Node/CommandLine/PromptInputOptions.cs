using System.CommandLine;
using System.Globalization;
using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.CommandLine;

/// <summary>The argument and options that say what is asked: a text, as a chat or as it is, or token ids.</summary>
internal sealed class PromptInputOptions
{
    private readonly Argument<string?> _text = new("text") { Description = "The prompt, or - for standard input.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _raw = new("--raw") { Description = "Take the text as it is, without the model's chat template." };
    private readonly Option<string?> _tokens = new("--tokens") { Description = "Token ids instead of a text, used as they are, for example 1,272,13.", HelpName = "ids" };
    private readonly Option<string?> _system = new("--system") { Description = "A system message in front of the prompt.", HelpName = "text" };

    /// <summary>Creates them and adds them to a command.</summary>
    public PromptInputOptions(Command command)
    {
        command.Add(_text);
        command.Add(_raw);
        command.Add(_tokens);
        command.Add(_system);
    }

    /// <summary>Puts what was asked into a request.</summary>
    /// <exception cref="UserErrorException">Nothing was asked, or two things at once.</exception>
    public async Task<GenerateRequest> ReadAsync(ParseResult parse, GenerateRequest request, CancellationToken cancellation)
    {
        var (text, tokens, system) = (parse.GetValue(_text), parse.GetValue(_tokens), parse.GetValue(_system));
        if ((text is null) == (tokens is null))
        {
            throw new UserErrorException("Give one prompt: a text, - for standard input, or --tokens.", ExitCodes.Usage);
        }

        if (system is not null && (tokens is not null || parse.GetValue(_raw)))
        {
            throw new UserErrorException("--system is a part of a chat: it makes no sense with --raw or --tokens.", ExitCodes.Usage);
        }

        if (tokens is not null)
        {
            return request with { Tokens = ParseTokens(tokens) };
        }

        var prompt = await BoundedInput.ReadAsync(text!, cancellation);
        return parse.GetValue(_raw) ? request with { Text = prompt }
            : request with { Messages = system is null ? [new ChatLine("user", prompt)] : [new ChatLine("system", system), new ChatLine("user", prompt)] };
    }

    /// <summary>Reads ids separated by commas or spaces.</summary>
    internal static IReadOnlyList<int> ParseTokens(string text)
    {
        var parts = text.Split([',', ' ', '\n', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length is 0 or > ProtocolLimits.SessionTokens)
        {
            throw new UserErrorException($"--tokens must be 1 to {ProtocolLimits.SessionTokens} token ids.", ExitCodes.Usage);
        }

        return [.. parts.Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new UserErrorException($"--tokens must be token ids separated by commas; \"{(part.Length > 32 ? part[..32] : part)}\" is none.", ExitCodes.Usage))];
    }
}
