"""The remove.bg API, as its published OpenAPI description (version 1.0.0) has it, over Hairline's stages."""
