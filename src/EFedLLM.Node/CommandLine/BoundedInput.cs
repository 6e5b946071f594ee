using System.Text;

namespace EFedLLM.Node.CommandLine;

/// <summary>Reads texts that a person or a script hands in, up to a bound.</summary>
internal static class BoundedInput
{
    /// <summary>Most characters of a prompt.</summary>
    public const int MostCharacters = 4 << 20;

    /// <summary>The text itself, or standard input where it is <c>-</c>.</summary>
    /// <exception cref="UserErrorException">There is none, or it is too long.</exception>
    public static async Task<string> ReadAsync(string text, CancellationToken cancellation)
    {
        var read = text == "-" ? await ReadAsync(Console.In, "standard input", cancellation) : text;
        return read.Length switch
        {
            0 => throw new UserErrorException("The prompt is empty.", ExitCodes.Usage),
            > MostCharacters => throw TooLong("The prompt"),
            _ => read,
        };
    }

    /// <summary>Everything a reader has.</summary>
    internal static async Task<string> ReadAsync(TextReader reader, string name, CancellationToken cancellation)
    {
        var text = new StringBuilder();
        var buffer = new char[8192];
        int count;
        while ((count = await reader.ReadAsync(buffer, cancellation)) > 0)
        {
            if (text.Length + count > MostCharacters)
            {
                throw TooLong(name);
            }

            text.Append(buffer, 0, count);
        }

        return text.ToString();
    }

    private static UserErrorException TooLong(string what) => new($"{what} has more than {MostCharacters} characters.", ExitCodes.Usage);
}
