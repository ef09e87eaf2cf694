# The server of one bundle, without torch. `python -m pipeline answer` is its command; mount the bundle at /model:
#   docker build --tag answer . && docker run --publish 8000:8000 --volume ./data/export/reviews:/model:ro answer
FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --constraint requirements.lock \
    click fastapi httptools numpy onnxruntime pillow prometheus-client psutil pyarrow pydantic tokenizers tqdm uvicorn
COPY pyproject.toml ./
COPY pipeline pipeline
USER 10001:10001
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["python", "-m", "pipeline", "answer", "/model", "--host", "0.0.0.0", "--port", "8000", "--linger", "5"]
