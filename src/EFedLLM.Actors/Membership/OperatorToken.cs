using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Identity;

namespace EFedLLM.Actors.Membership;

/// <summary>What a command shows to a gateway that it may invite and evict: a secret beside the authority's key, for whoever may read that.</summary>
public sealed class OperatorToken
{
    /// <summary>Its file in the authority's folder.</summary>
    public const string FileName = "operator.token";

    private const int Bytes = 32;

    private readonly byte[] _hash;

    private OperatorToken(string value) => (Value, _hash) = (value, SHA256.HashData(Encoding.UTF8.GetBytes(value)));

    /// <summary>The secret, 64 hexadecimal digits.</summary>
    public string Value { get; }

    /// <summary>The token of an authority, which is made on the first call.</summary>
    /// <param name="authorityFolder">The authority's folder.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static OperatorToken LoadOrCreate(string authorityFolder)
    {
        var file = Path.Combine(authorityFolder, FileName);
        SecretFile.TryCreate(file, Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(Bytes * 2, lowercase: true)));
        return Load(authorityFolder);
    }

    /// <summary>The token of an authority.</summary>
    /// <param name="authorityFolder">The authority's folder.</param>
    /// <exception cref="InvalidDataException">There is none, or it is damaged.</exception>
    public static OperatorToken Load(string authorityFolder)
    {
        var file = Path.Combine(authorityFolder, FileName);
        try
        {
            var text = new FileInfo(file).Length == Bytes * 2 ? File.ReadAllText(file) : "";
            return text.Length == Bytes * 2 && text.All(char.IsAsciiHexDigitLower)
                ? new OperatorToken(text)
                : throw new InvalidDataException($"{file} is damaged: delete it, and start the gateway again, which makes another.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{file} cannot be read: {error.Message} A gateway that runs with --ca {authorityFolder} makes it.", error);
        }
    }

    /// <summary>Whether somebody shows the same secret; takes as long whatever is shown.</summary>
    public bool Matches(string? shown) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(shown ?? "")), _hash);
}
