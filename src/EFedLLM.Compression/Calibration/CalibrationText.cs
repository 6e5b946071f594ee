using System.Security.Cryptography;
using System.Text;

namespace EFedLLM.Compression.Calibration;

/// <summary>The text that compression is calibrated on.</summary>
public static class CalibrationText
{
    private static readonly Lazy<string> Simple = new(() => Read("simple.txt"));
    private static readonly Lazy<string> Mixed = new(() => Read("varied.txt"));

    /// <summary>The text that comes with the program: questions and answers, stories, sums, lists and definitions in plain English.</summary>
    public static string BuiltIn => Simple.Value;

    /// <summary>A little of everything else that comes with the program: reference articles, drama, verse, news, letters, instructions, law, code.</summary>
    public static string Varied => Mixed.Value;

    /// <summary>SHA-256 of a text's UTF-8 bytes, lower-case hexadecimal.</summary>
    public static string HashOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Read(string name)
    {
        using var stream = typeof(CalibrationText).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
