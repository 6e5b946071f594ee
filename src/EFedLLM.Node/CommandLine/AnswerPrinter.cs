using EFedLLM.Node.Api;
using EFedLLM.Node.Client;
using EFedLLM.Node.Output;

namespace EFedLLM.Node.CommandLine;

/// <summary>Asks and prints.</summary>
internal static class AnswerPrinter
{
    /// <summary>Prints the answer as JSON alone, or its text as it comes with the route and the timing beside it.</summary>
    /// <exception cref="UserErrorException">The generation failed.</exception>
    public static async Task PrintAsync(IAnswerSource source, GenerateRequest request, bool json, CancellationToken cancellation)
    {
        if (json)
        {
            Screen.Json(await AnswerCollector.CollectAsync(source, request, null, cancellation), ApiJson.Default.PromptAnswer);
            return;
        }

        var answer = await AnswerCollector.CollectAsync(source, request, Console.Out.Write, cancellation);
        Console.Out.WriteLine();
        AnswerLines.Print(answer);
    }
}
