using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Membership;
using EFedLLM.Node.Api;

namespace EFedLLM.Node.Http;

/// <summary>Inviting and evicting. Whoever asks shows the operator's token: HTTP on this machine is open to all its users, and to the pages in their browsers.</summary>
internal static class MembershipEndpoints
{
    private const string Scheme = "Bearer ";
    private const int MostNameCharacters = 64;

    public static void MapMembership(this IEndpointRouteBuilder app, IMembershipApi membership)
    {
        app.MapGet("/efedllm/v1/cluster/evicted", (HttpContext http) => http.Response.WriteAsJsonAsync(membership.Evicted(), ApiJson.Default.IReadOnlyListEvictedFacts));
        app.MapGet("/efedllm/v1/invites", (HttpContext http) =>
        {
            Authorise(http, membership);
            return http.Response.WriteAsJsonAsync(membership.Invites(), ApiJson.Default.IReadOnlyListInviteFacts);
        });
        app.MapPost("/efedllm/v1/invites", async (HttpContext http) =>
        {
            Authorise(http, membership);
            await http.Response.WriteAsJsonAsync(membership.Invite(Check(await ReadAsync(http, ApiJson.Default.InviteRequest))), ApiJson.Default.InviteResult);
        });
        app.MapDelete("/efedllm/v1/invites/{id}", (HttpContext http, string id) =>
        {
            Authorise(http, membership);
            var facts = membership.RevokeInvite(id)
                ?? throw new ApiException(StatusCodes.Status404NotFound, "There is no such invite, or several ids begin so: efedllm invite list shows them.", param: "id", code: "invite_not_found");
            return http.Response.WriteAsJsonAsync(facts, ApiJson.Default.InviteFacts);
        });
        app.MapPost("/efedllm/v1/cluster/evict", (HttpContext http) => DecideAsync(http, membership, membership.EvictAsync));
        app.MapPost("/efedllm/v1/cluster/readmit", (HttpContext http) => DecideAsync(http, membership, membership.ReadmitAsync));
    }

    private static async Task DecideAsync(HttpContext http, IMembershipApi membership, Func<EvictRequest, CancellationToken, Task<EvictResult>> decide)
    {
        Authorise(http, membership);
        var request = await ReadAsync(http, ApiJson.Default.EvictRequest);
        if (request.Device is not { Length: > 0 and <= MostNameCharacters })
        {
            throw ApiException.Invalid("device", $"'device' must be a device's id, the beginning of it, or its name, of up to {MostNameCharacters} characters.");
        }

        if (request.Key is { } key && (key.Length != 64 || !key.All(char.IsAsciiHexDigitLower)))
        {
            throw ApiException.Invalid("key", "'key' must be 64 lower-case hexadecimal digits: the SHA-256 of a certificate's public key.");
        }

        await http.Response.WriteAsJsonAsync(await decide(request, http.RequestAborted), ApiJson.Default.EvictResult);
    }

    /// <summary>Lets only the cluster's operator on.</summary>
    /// <exception cref="ApiException">It is somebody else, or the cluster has no operator.</exception>
    internal static void Authorise(HttpContext http, IMembershipApi membership)
    {
        if (membership.WhyNot is { } reason)
        {
            throw new ApiException(StatusCodes.Status409Conflict, reason, code: "no_authority");
        }

        var shown = http.Request.Headers.Authorization.ToString();
        if (!membership.MayOperate(shown.StartsWith(Scheme, StringComparison.Ordinal) ? shown[Scheme.Length..] : null))
        {
            throw new ApiException(
                StatusCodes.Status401Unauthorized, $"Only the cluster's operator may do that: name the authority's folder with --ca (its {OperatorToken.FileName} is what counts).", code: "not_operator");
        }
    }

    private static InviteRequest Check(InviteRequest request)
    {
        if (!(request.Seconds >= InviteRules.ShortestLife.TotalSeconds && request.Seconds <= InviteRules.LongestLife.TotalSeconds))
        {
            throw ApiException.Invalid("seconds", $"An invite lives {InviteRules.ShortestLife.TotalMinutes:0} minute to {InviteRules.LongestLife.TotalDays:0} days.");
        }

        if (request.Owner is { } owner && OwnerName.Problem(owner) is { } problem)
        {
            throw ApiException.Invalid("owner", $"'owner' cannot be: {problem}.");
        }

        return request.Name is null || (request.Name.Trim() == request.Name && request.Name.Length is > 0 and <= MostNameCharacters && !request.Name.Any(char.IsControl))
            ? request
            : throw ApiException.Invalid("name", $"A name has 1 to {MostNameCharacters} characters, and no blanks around it.");
    }

    private static async Task<T> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type) =>
        await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted)
            ?? throw new ApiException(StatusCodes.Status400BadRequest, "The body must be a JSON object.");
}
