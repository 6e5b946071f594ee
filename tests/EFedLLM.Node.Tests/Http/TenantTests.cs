using EFedLLM.Actors.Protocol;
using EFedLLM.Node.Http;
using Microsoft.AspNetCore.Http;

namespace EFedLLM.Node.Tests.Http;

public sealed class TenantTests
{
    [Fact]
    public void Requests_with_the_same_api_key_are_of_one_tenant_whose_name_does_not_tell_the_key()
    {
        var tenant = Tenant.Of(new HeaderDictionary { ["Authorization"] = "Bearer sk-1" });
        Assert.Equal(tenant, Tenant.Of(new HeaderDictionary { ["authorization"] = "Bearer sk-1" }));
        Assert.NotEqual(tenant, Tenant.Of(new HeaderDictionary { ["Authorization"] = "Bearer sk-2" }));
        Assert.Equal("", Tenant.Of(new HeaderDictionary()));
        Assert.DoesNotContain("sk-1", tenant, StringComparison.Ordinal);
        Assert.Equal(ProtocolLimits.TenantCharacters, tenant.Length);
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}]}""")]
    [InlineData("/v1/completions", """{"prompt":"Hi"}""")]
    public async Task A_prompt_names_the_tenant_who_asks(string path, string body)
    {
        var backend = new ScriptedBackend();
        await using var server = await TestServer.StartAsync(backend);
        server.Client.DefaultRequestHeaders.Add("Authorization", "Bearer sk-1");
        await server.PostAsync(path, body);
        Assert.Equal(Tenant.Of(new HeaderDictionary { ["Authorization"] = "Bearer sk-1" }), Assert.Single(backend.Prompts).Tenant);
    }
}
