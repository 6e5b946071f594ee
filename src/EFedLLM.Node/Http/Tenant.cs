using System.Security.Cryptography;
using System.Text;

namespace EFedLLM.Node.Http;

/// <summary>Who asks, as far as it matters: requests that bear the same API key may share what was computed of the same first tokens.</summary>
internal static class Tenant
{
    /// <summary>The SHA-256 of the Authorization header, 64 hexadecimal digits, so that no key goes further than this; empty where a request bears none.</summary>
    public static string Of(IHeaderDictionary headers)
        => headers.Authorization.ToString() is { Length: > 0 } key ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))) : "";
}
