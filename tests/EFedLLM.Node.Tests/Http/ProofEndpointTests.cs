using System.Net;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Client;
using EFedLLM.Node.CommandLine;

namespace EFedLLM.Node.Tests.Http;

public sealed class ProofEndpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-proofs-").FullName;

    private readonly ProofStore _proofs;

    public ProofEndpointTests() => _proofs = ProofStore.Open(_folder, 8, 1 << 20, error => Assert.Fail(error.Message));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_programs_own_client_gets_a_proof_by_its_hash_or_the_first_digits_of_it()
    {
        var proof = _proofs.Keep([1, 2, 3]);
        await using var server = await TestServer.StartAsync(proofs: _proofs);
        await using var client = new GatewayHttpClient(server.Address);
        Assert.Equal([1, 2, 3], await client.ReadProofAsync(proof.ToString(), CancellationToken.None));
        Assert.Equal([1, 2, 3], await client.ReadProofAsync(proof.ToString()[..8], CancellationToken.None));
        var missing = await Assert.ThrowsAsync<UserErrorException>(() => client.ReadProofAsync(Digest.Of([4]).ToString(), CancellationToken.None));
        Assert.Contains("keeps no proof", missing.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1234567", 400)]
    [InlineData("..%2fdevice.key", 400)]
    [InlineData("zzzzzzzzzzzzzzzz", 400)]
    [InlineData("12345678123456781234567812345678123456781234567812345678123456781", 400)]
    [InlineData("1234567812345678", 404)]
    public async Task What_names_no_proof_is_refused(string hash, int status)
    {
        await using var server = await TestServer.StartAsync(proofs: _proofs);
        using var response = await server.Client.GetAsync(new Uri($"/efedllm/v1/proofs/{hash}", UriKind.Relative));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains("\"error\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proof_that_was_changed_is_not_given_away()
    {
        var proof = _proofs.Keep([1, 2, 3]);
        await File.WriteAllBytesAsync(Path.Combine(_folder, proof.ToString()), [1, 2, 4]);
        await using var server = await TestServer.StartAsync(proofs: _proofs);
        using var response = await server.Client.GetAsync(new Uri($"/efedllm/v1/proofs/{proof}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Where_nothing_is_kept_there_is_nothing()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.Client.GetAsync(new Uri($"/efedllm/v1/proofs/{Digest.Of([1])}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }
}
