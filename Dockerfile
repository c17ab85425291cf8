# The page, for those who host it themselves: docker build -t leukovision . && docker run -p 7860:7860 leukovision
# tests/browser/test_space.py goes through the same steps without an engine.
FROM python:3.12-slim

RUN useradd --system --uid 10001 --create-home --home-dir /home/page page
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY app.py README.md LICENSE ./
COPY leukovision leukovision
COPY weights weights

# The code belongs to root, so that what runs cannot change it; uploads and pulled ensembles go to the home.
USER page
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 GRADIO_TEMP_DIR=/home/page/uploads \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
CMD ["python", "app.py"]
