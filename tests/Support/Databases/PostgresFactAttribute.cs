namespace EFedLLM.Tests.Support.Databases;

/// <summary>A test that needs PostgreSQL. Where there is none it says so and skips; in CI its absence fails it.</summary>
internal sealed class PostgresFactAttribute : FactAttribute
{
    public PostgresFactAttribute() => Skip = Environment.GetEnvironmentVariable("CI") is "true" or "1" ? null : PostgresServer.Missing;
}
