using System.CommandLine;
using EFedLLM.Node.Api;
using EFedLLM.Node.Models;
using EFedLLM.Node.Output;
using EFedLLM.Transformer.Tokenizers;

namespace EFedLLM.Node.CommandLine;

/// <summary><c>efedllm tokenize</c>: a text as a model's token ids.</summary>
internal sealed class TokenizeCommand : Command
{
    private readonly Option<string?> _model = new("--model", "-m") { Description = "A checkpoint (a folder or a .gguf file) or a factored model. Default: the bundled efed-mini.", HelpName = "path" };
    private readonly Option<string> _text = new("--text") { Description = "The text, or - for standard input. Special tokens written in it count as such.", HelpName = "text", Required = true };
    private readonly Option<bool> _noSpecial = new("--no-special") { Description = "Leave out the begin token that the tokenizer puts in front." };
    private readonly Option<bool> _json = CommonOptions.Json();

    public TokenizeCommand()
        : base("tokenize", "Show a text as a model's token ids.")
    {
        foreach (var option in new Option[] { _model, _text, _noSpecial, _json })
        {
            Add(option);
        }

        this.Runs(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancellation)
    {
        var text = await BoundedInput.ReadAsync(parse.GetRequiredValue(_text), cancellation);
        var tokenizer = ModelTokenizer.Load(ModelFolders.Existing(parse.GetValue(_model)));
        var ids = tokenizer.Encode(text, addSpecial: !parse.GetValue(_noSpecial));
        if (parse.GetValue(_json))
        {
            Screen.Json(new TokenizeResult(ids), ApiJson.Default.TokenizeResult);
            return ExitCodes.Ok;
        }

        var table = Tables.Create(">id", "token");
        foreach (var id in ids)
        {
            table.Row(id.ToString(System.Globalization.CultureInfo.InvariantCulture), Printable(tokenizer.TokenText(id)));
        }

        table.Print();
        return ExitCodes.Ok;
    }

    /// <summary>White space and control characters must show, and not move the cursor.</summary>
    private static string Printable(string token) =>
        string.Concat(token.Select(c => c switch { '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", ' ' => "·", _ when char.IsControl(c) => $"\\u{(int)c:x4}", _ => c.ToString() }));
}
