using System.Security.Cryptography;
using System.Text;

namespace EFedLLM.Compression.Calibration;

/// <summary>The text that compression is calibrated on.</summary>
public static class CalibrationText
{
    private static readonly Lazy<string> Own = new(() =>
    {
        using var stream = typeof(CalibrationText).Assembly.GetManifestResourceStream("calibration.txt")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    });

    /// <summary>The text that comes with the program: questions and answers, stories, sums, lists and definitions in plain English.</summary>
    public static string BuiltIn => Own.Value;

    /// <summary>SHA-256 of a text's UTF-8 bytes, lower-case hexadecimal.</summary>
    public static string HashOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
